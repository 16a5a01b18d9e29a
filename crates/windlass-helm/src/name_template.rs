//! Names of releases that templates make: `--name-template`.

use std::sync::Arc;

use gotemplate::{Functions, Limits, TemplateSet, Value, World};

/// Why a template gives no name.
#[derive(Debug, thiserror::Error)]
pub enum NameTemplateError {
    /// The template does not parse.
    #[error("the template of the release's name does not parse")]
    Parse(#[source] gotemplate::ParseError),
    /// The template fails.
    #[error("the template of the release's name fails")]
    Execute(#[source] gotemplate::ExecError),
}

/// What a template of a release's name prints. It has the functions of sprig, and no values.
///
/// # Errors
///
/// [`NameTemplateError`].
pub fn name_of_template(template: &str, world: &mut dyn World) -> Result<String, NameTemplateError> {
    const NAME: &str = "name-template";
    let mut functions = Functions::builtin();
    gotemplate::sprig::register(&mut functions);
    let mut set = TemplateSet::new(functions);
    set.parse(NAME, template).map_err(NameTemplateError::Parse)?;
    let printed = Arc::new(set)
        .execute(NAME, &Value::Nil, Limits::default(), world)
        .map_err(NameTemplateError::Execute)?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}
