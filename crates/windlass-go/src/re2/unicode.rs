//! The Unicode property names Go accepts in `\p{…}`, and what the `regex` crate calls them.
//!
//! Go 1.26 folds case and drops `_`, `-` and blanks before it looks a name up among categories, their aliases
//! and scripts. Scripts of two words are stored with an underscore there and so are never found: `\p{Old_Italic}`
//! is an error in Go. The tables list what Go accepts, by asking it.

use super::class::NOTHING;

/// A class of the `regex` crate for a property name as a Go pattern writes it; `None` where Go has none.
pub(super) fn property(name: &str, is_negated: bool) -> Option<String> {
    let letter = if is_negated { 'P' } else { 'p' };
    let name = canonical(name);
    if let Ok(idx) = CATEGORIES.binary_search_by(|(known, _)| (*known).cmp(&name)) {
        return Some(match (CATEGORIES[idx].1, is_negated) {
            // Surrogates occur in no text, and the crate has no such class.
            ("Cs", false) => NOTHING.to_owned(),
            ("Cs", true) => r"[\x00-\x{10FFFF}]".to_owned(),
            (category, _) => format!(r"\{letter}{{gc={category}}}"),
        });
    }
    SCRIPTS.binary_search(&name.as_str()).ok().map(|_| format!(r"\{letter}{{sc={name}}}"))
}

/// A first capital letter, the rest small, without separators.
fn canonical(name: &str) -> String {
    let mut canonical = String::with_capacity(name.len());
    for char in name.chars().filter(|char| !matches!(char, '_' | '-' | ' ')) {
        canonical.push(match canonical.is_empty() {
            true => char.to_ascii_uppercase(),
            false => char.to_ascii_lowercase(),
        });
    }
    canonical
}

/// Canonical names of general categories and their aliases, with the short name.
#[rustfmt::skip]
const CATEGORIES: &[(&str, &str)] = &[
    ("Any", "Any"), ("Ascii", "ASCII"), ("Assigned", "Assigned"), ("C", "C"), ("Casedletter", "LC"),
    ("Cc", "Cc"), ("Cf", "Cf"), ("Closepunctuation", "Pe"), ("Cn", "Cn"), ("Cntrl", "Cc"), ("Co", "Co"),
    ("Combiningmark", "M"), ("Connectorpunctuation", "Pc"), ("Control", "Cc"), ("Cs", "Cs"),
    ("Currencysymbol", "Sc"), ("Dashpunctuation", "Pd"), ("Decimalnumber", "Nd"), ("Digit", "Nd"),
    ("Enclosingmark", "Me"), ("Finalpunctuation", "Pf"), ("Format", "Cf"), ("Initialpunctuation", "Pi"),
    ("L", "L"), ("Lc", "LC"), ("Letter", "L"), ("Letternumber", "Nl"), ("Lineseparator", "Zl"),
    ("Ll", "Ll"), ("Lm", "Lm"), ("Lo", "Lo"), ("Lowercaseletter", "Ll"), ("Lt", "Lt"), ("Lu", "Lu"),
    ("M", "M"), ("Mark", "M"), ("Mathsymbol", "Sm"), ("Mc", "Mc"), ("Me", "Me"), ("Mn", "Mn"),
    ("Modifierletter", "Lm"), ("Modifiersymbol", "Sk"), ("N", "N"), ("Nd", "Nd"), ("Nl", "Nl"),
    ("No", "No"), ("Nonspacingmark", "Mn"), ("Number", "N"), ("Openpunctuation", "Ps"), ("Other", "C"),
    ("Otherletter", "Lo"), ("Othernumber", "No"), ("Otherpunctuation", "Po"), ("Othersymbol", "So"),
    ("P", "P"), ("Paragraphseparator", "Zp"), ("Pc", "Pc"), ("Pd", "Pd"), ("Pe", "Pe"), ("Pf", "Pf"),
    ("Pi", "Pi"), ("Po", "Po"), ("Privateuse", "Co"), ("Ps", "Ps"), ("Punct", "P"), ("Punctuation", "P"),
    ("S", "S"), ("Sc", "Sc"), ("Separator", "Z"), ("Sk", "Sk"), ("Sm", "Sm"), ("So", "So"),
    ("Spaceseparator", "Zs"), ("Spacingmark", "Mc"), ("Surrogate", "Cs"), ("Symbol", "S"),
    ("Titlecaseletter", "Lt"), ("Unassigned", "Cn"), ("Uppercaseletter", "Lu"), ("Z", "Z"), ("Zl", "Zl"),
    ("Zp", "Zp"), ("Zs", "Zs"),
];

/// Scripts of one word, as Go spells them.
#[rustfmt::skip]
const SCRIPTS: &[&str] = &[
    "Adlam", "Ahom", "Arabic", "Armenian", "Avestan", "Balinese", "Bamum", "Batak", "Bengali",
    "Bhaiksuki", "Bopomofo", "Brahmi", "Braille", "Buginese", "Buhid", "Carian", "Chakma", "Cham",
    "Cherokee", "Chorasmian", "Common", "Coptic", "Cuneiform", "Cypriot", "Cyrillic", "Deseret",
    "Devanagari", "Dogra", "Duployan", "Elbasan", "Elymaic", "Ethiopic", "Georgian", "Glagolitic",
    "Gothic", "Grantha", "Greek", "Gujarati", "Gurmukhi", "Han", "Hangul", "Hanunoo", "Hatran", "Hebrew",
    "Hiragana", "Inherited", "Javanese", "Kaithi", "Kannada", "Katakana", "Kawi", "Kharoshthi", "Khmer",
    "Khojki", "Khudawadi", "Lao", "Latin", "Lepcha", "Limbu", "Lisu", "Lycian", "Lydian", "Mahajani",
    "Makasar", "Malayalam", "Mandaic", "Manichaean", "Marchen", "Medefaidrin", "Miao", "Modi",
    "Mongolian", "Mro", "Multani", "Myanmar", "Nabataean", "Nandinagari", "Newa", "Nko", "Nushu",
    "Ogham", "Oriya", "Osage", "Osmanya", "Palmyrene", "Phoenician", "Rejang", "Runic", "Samaritan",
    "Saurashtra", "Sharada", "Shavian", "Siddham", "Sinhala", "Sogdian", "Soyombo", "Sundanese",
    "Syriac", "Tagalog", "Tagbanwa", "Takri", "Tamil", "Tangsa", "Tangut", "Telugu", "Thaana", "Thai",
    "Tibetan", "Tifinagh", "Tirhuta", "Toto", "Ugaritic", "Vai", "Vithkuqi", "Wancho", "Yezidi", "Yi",
];
