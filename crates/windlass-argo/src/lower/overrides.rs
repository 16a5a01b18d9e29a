//! Files of a repository that change a source: `.argocd-source.yaml` and `.argocd-source-NAME.yaml`.

use windlass_kube::{Value, merge_patch};
use windlass_model::Renderer;

use crate::field::{Field, FieldProblemKind, Reader};
use crate::types::Source;

/// How a source is rendered after the patches of its repository, in their order.
///
/// Only what tools are told can be changed: where the source comes from stays as it was. A field that is not known
/// changes nothing. (`mergeSourceParameters` of Argo CD 3.6.)
///
/// # Errors
///
/// What is wrong with the patch, or with the source that it makes.
pub fn overridden(source: &Source, patches: &[Value]) -> Result<Renderer, String> {
    let mut merged = source.clone();
    for patch in patches {
        if !matches!(patch, Value::Object(_)) {
            return Err(format!("it is {}, not an object", patch.type_name()));
        }
        let mut reader = Reader::default();
        merged = Source::read(&merge_patch::apply(&merged.write(), patch), &mut reader);
        let wrong = reader.problems.iter().find_map(|problem| match problem.kind {
            FieldProblemKind::WrongType { expected, found } => {
                Some(format!("field {} must be {expected}, this is {found}", problem.path))
            }
            FieldProblemKind::Unknown => None,
        });
        if let Some(problem) = wrong {
            return Err(problem);
        }
    }
    let mut refused = None;
    let renderer = super::source::renderer(&merged, "the source", &mut |why| {
        refused.get_or_insert(why);
    });
    match refused {
        Some(why) => Err(why),
        None => Ok(renderer),
    }
}
