//! What went wrong, in go-jsonnet's words where it has some.

use rsjsonnet_lang::lexer::LexError;
use rsjsonnet_lang::parser::ParseError;
use rsjsonnet_lang::program::{
    AnalyzeError, EvalErrorKind, EvalErrorValueType, EvalStackTraceItem, LoadError,
};
use rsjsonnet_lang::span::SpanId;

use super::STACK_FRAMES;

/// The words and the place of an error in a text.
pub(super) fn of_load(error: &LoadError) -> (String, SpanId) {
    match error {
        LoadError::Lex(error) => of_token(error),
        LoadError::Parse(ParseError::Expected { span, instead, .. }) => {
            (format!("syntax error: did not expect {}", shown(instead)), *span)
        }
        LoadError::Analyze(error) => of_analysis(error),
    }
}

fn shown(token: &rsjsonnet_lang::parser::ActualToken) -> String {
    use rsjsonnet_lang::parser::ActualToken;
    match token {
        ActualToken::EndOfFile => "the end of the file".into(),
        ActualToken::Simple(token) => format!("{token:?}"),
        ActualToken::OtherOp(operator) => format!("the operator {operator}"),
        ActualToken::Ident(name) => format!("the name {name}"),
        ActualToken::Number => "a number".into(),
        ActualToken::String | ActualToken::TextBlock => "a string".into(),
    }
}

fn of_token(error: &LexError) -> (String, SpanId) {
    let (problem, span) = match error {
        LexError::InvalidChar { span, chr } => {
            return (format!("could not lex the character {chr:?}"), *span);
        }
        LexError::InvalidEscapeInString { span, chr } => {
            return (format!("unknown escape sequence in string literal: \\{chr}"), *span);
        }
        LexError::InvalidUtf8 { span, .. } => ("the text is not UTF-8", span),
        LexError::UnfinishedMultilineComment { span } => ("a comment has no terminating */", span),
        LexError::LeadingZeroInNumber { span } => ("a number begins with 0", span),
        LexError::MissingFracDigits { span } => ("a number has no digit after its point", span),
        LexError::MissingExpDigits { span } => ("a number has no digit in its exponent", span),
        LexError::MissingDigitAfterUnderscore { span } => ("a number has no digit after _", span),
        LexError::ExpOverflow { span } => ("the exponent of a number is too large", span),
        LexError::IncompleteUnicodeEscape { span } => ("truncated unicode escape sequence", span),
        LexError::InvalidUtf16EscapeSequence { span, .. } => ("invalid unicode escape sequence", span),
        LexError::UnfinishedString { span } => ("unterminated string", span),
        LexError::MissingLineBreakAfterTextBlockStart { span } => {
            ("text block requires new line after |||", span)
        }
        LexError::MissingWhitespaceTextBlockStart { span } => {
            ("text block's first line must start with whitespace", span)
        }
        LexError::InvalidTextBlockTermination { span } => ("text block not terminated with |||", span),
    };
    (problem.into(), *span)
}

fn of_analysis(error: &AnalyzeError) -> (String, SpanId) {
    match error {
        AnalyzeError::UnknownVariable { span, name } => (format!("unknown variable: {name}"), *span),
        AnalyzeError::SelfOutsideObject { self_span } => {
            ("can't use self outside of an object".into(), *self_span)
        }
        AnalyzeError::SuperOutsideObject { super_span } => {
            ("can't use super outside of an object".into(), *super_span)
        }
        AnalyzeError::DollarOutsideObject { dollar_span } => {
            ("no top-level object found".into(), *dollar_span)
        }
        AnalyzeError::RepeatedLocalName { repeated_span, name, .. } => {
            (format!("duplicate local var: {name}"), *repeated_span)
        }
        AnalyzeError::RepeatedFieldName { repeated_span, name, .. } => {
            (format!("duplicate field: {name}"), *repeated_span)
        }
        AnalyzeError::RepeatedParamName { repeated_span, name, .. } => {
            (format!("duplicate function parameter: {name}"), *repeated_span)
        }
        AnalyzeError::PositionalArgAfterNamed { arg_span } => {
            ("positional argument after a named argument is not allowed".into(), *arg_span)
        }
        AnalyzeError::TextBlockAsImportPath { span } => {
            ("block string literals not allowed in imports".into(), *span)
        }
        AnalyzeError::ComputedImportPath { span } => ("computed imports are not allowed".into(), *span),
    }
}

/// The words and the place of an error of an evaluation; `problem` is why an import or native call failed.
pub(super) fn of_evaluation(error: &EvalErrorKind, problem: &str) -> (String, Option<SpanId>) {
    use EvalErrorKind as Kind;
    let unexpected = |got: &EvalErrorValueType, expected: &str| {
        format!("unexpected type {}, expected {expected}", name(*got))
    };
    match error {
        Kind::StackOverflow => {
            (format!("max stack frames exceeded: more than {STACK_FRAMES} (limit STACK_FRAMES)"), None)
        }
        Kind::InfiniteRecursion => ("a value is needed to make itself: infinite recursion".into(), None),
        Kind::InvalidIndexedType { span, got_type } => {
            (format!("value non indexable: {}", name(*got_type)), Some(*span))
        }
        Kind::InvalidSlicedType { span, got_type } => (unexpected(got_type, "array or string"), Some(*span)),
        Kind::SliceIndexOrStepIsNotNumber { span, got_type }
        | Kind::StringIndexIsNotNumber { span, got_type }
        | Kind::ArrayIndexIsNotNumber { span, got_type } => (unexpected(got_type, "number"), Some(*span)),
        Kind::NumericIndexIsNotValid { span, index } => {
            (format!("index {index} is no whole number"), Some(*span))
        }
        Kind::NumericIndexOutOfRange { span, index, length } => {
            (format!("index {index} out of bounds, not within [0, {length})"), Some(*span))
        }
        Kind::ObjectIndexIsNotString { span, got_type } => (unexpected(got_type, "string"), Some(*span)),
        Kind::RepeatedFieldName { span, name } => (format!("duplicate field name: {name:?}"), Some(*span)),
        Kind::FieldNameIsNotString { span, got_type } => {
            (format!("field name must be string, got: {}", name(*got_type)), Some(*span))
        }
        Kind::UnknownObjectField { span, field_name } => {
            (format!("field does not exist: {field_name}"), Some(*span))
        }
        Kind::FieldOfNonObject { span } => ("only objects have fields".into(), Some(*span)),
        Kind::SuperWithoutSuperObject { span } => {
            ("attempt to use super when there is no super class".into(), Some(*span))
        }
        Kind::ForSpecValueIsNotArray { span, got_type } => (unexpected(got_type, "array"), Some(*span)),
        Kind::CondIsNotBool { span, got_type } => (unexpected(got_type, "boolean"), Some(*span)),
        Kind::CalleeIsNotFunction { span, got_type } => (unexpected(got_type, "function"), *span),
        Kind::TooManyCallArgs { span, num_params } => {
            (format!("function expected {num_params} positional argument(s), but got more"), *span)
        }
        Kind::UnknownCallParam { span, param_name } => {
            (format!("function has no parameter {param_name}"), *span)
        }
        Kind::RepeatedCallParam { span, param_name } => {
            (format!("argument {param_name} already provided"), *span)
        }
        Kind::CallParamNotBound { span, param_name } => (format!("missing argument: {param_name}"), *span),
        Kind::NativeCallFailed => (problem.into(), None),
        Kind::InvalidUnaryOpType { span, op, rhs_type } => {
            (format!("the operator {op:?} does not take: {}", name(*rhs_type)), Some(*span))
        }
        Kind::InvalidBinaryOpTypes { span, op, lhs_type, rhs_type } => {
            (format!("the operator {op:?} does not take: {} and {}", name(*lhs_type), name(*rhs_type)), *span)
        }
        Kind::NumberNotBitwiseSafe { span } => {
            ("numbers outside of the safe integer range have no bitwise operations".into(), *span)
        }
        Kind::NumberOverflow { span } => ("overflow".into(), *span),
        Kind::NumberNan { span } => ("not a number".into(), *span),
        Kind::DivByZero { span } => ("division by zero".into(), *span),
        Kind::ShiftByNegative { span } => ("shift by negative exponent".into(), *span),
        Kind::InvalidStdFuncArgType { func_name, arg_index, expected_types, got_type } => {
            let expected: Vec<_> = expected_types.iter().map(|expected| name(*expected)).collect();
            let number = arg_index + 1;
            (
                format!(
                    "argument {number} of std.{func_name}: {}",
                    unexpected(got_type, &expected.join(" or "))
                ),
                None,
            )
        }
        Kind::AssertFailed { span, message } => {
            (message.clone().unwrap_or_else(|| "object assertion failed".into()), Some(*span))
        }
        Kind::AssertEqualFailed { lhs, rhs } => (format!("assertion failed: {lhs} != {rhs}"), None),
        Kind::ExplicitError { span, message } => (message.clone(), Some(*span)),
        Kind::ImportFailed { span, .. } => (problem.into(), Some(*span)),
        Kind::UnknownExtVar { name } => (format!("undefined external variable: {name}"), None),
        Kind::ManifestFunction => ("couldn't manifest function as JSON".into(), None),
        Kind::CompareNullInequality => ("binary operator < does not work on null".into(), None),
        Kind::CompareBooleanInequality => ("binary operator < does not work on booleans".into(), None),
        Kind::CompareObjectInequality => ("binary operator < does not work on objects".into(), None),
        Kind::CompareFunctions => ("cannot test equality of functions".into(), None),
        Kind::CompareDifferentTypesInequality { lhs_type, rhs_type } => {
            (unexpected(rhs_type, name(*lhs_type)), None)
        }
        Kind::PrimitiveEqualsNonPrimitive { got_type } => (unexpected(got_type, "primitive"), None),
        Kind::Other { span, message } => (message.clone(), *span),
    }
}

/// The place of a step towards an error.
pub(super) fn span_of(item: &EvalStackTraceItem) -> Option<SpanId> {
    match item {
        EvalStackTraceItem::Expr { span }
        | EvalStackTraceItem::Variable { span, .. }
        | EvalStackTraceItem::Import { span } => Some(*span),
        EvalStackTraceItem::Call { span, .. }
        | EvalStackTraceItem::ArrayItem { span, .. }
        | EvalStackTraceItem::ObjectField { span, .. } => *span,
        _ => None,
    }
}

fn name(kind: EvalErrorValueType) -> &'static str {
    match kind {
        EvalErrorValueType::Null => "null",
        EvalErrorValueType::Bool => "boolean",
        EvalErrorValueType::Number => "number",
        EvalErrorValueType::String => "string",
        EvalErrorValueType::Array => "array",
        EvalErrorValueType::Object => "object",
        EvalErrorValueType::Function => "function",
    }
}
