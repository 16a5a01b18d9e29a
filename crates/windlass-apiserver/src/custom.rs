//! Custom resources: what a CustomResourceDefinition makes of a resource.

/// One version of a custom resource, as its definition describes it.
#[derive(Debug)]
pub struct CustomVersion {}
