//! Names, tags and digests of images.

use windlass_go::re2::Regex;

use super::field_spec::{FieldSpec, apply_settled, set_scalar};
use super::path;
use crate::error::{Error, Result};
use crate::kustomization::Image;
use crate::node::{Kind, Node, Scalar};

/// An [`Image`] with its pattern, ready for many objects.
#[derive(Clone, Debug)]
pub struct ImageSetter {
    image: Image,
    pattern: Regex,
}

impl ImageSetter {
    /// Compiles the pattern of the name.
    ///
    /// # Errors
    /// A name that is no regular expression.
    pub fn new(image: Image) -> Result<Self> {
        let pattern = format!("^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", image.name);
        // kustomize ends with a panic here.
        let pattern = Regex::parse(&pattern)
            .map_err(|error| Error::invalid(format!("image name {:?}: {error}", image.name)))?;
        Ok(Self { image, pattern })
    }

    /// Sets the images in every list `containers` or `initContainers` of an object, wherever it is.
    ///
    /// # Errors
    /// An item of such a list that is no map; an image that is no scalar.
    pub fn apply_everywhere(&self, node: &mut Node) -> Result<()> {
        if is_definition(node) { Ok(()) } else { self.walk(node) }
    }

    /// Sets the images in the fields that specs mean.
    ///
    /// # Errors
    /// An image that is no scalar.
    pub fn apply(&self, node: &mut Node, specs: &[FieldSpec]) -> Result<()> {
        if is_definition(node) {
            return Ok(());
        }
        apply_settled(node, specs, None, &mut |field| self.set(field))
    }

    fn walk(&self, node: &mut Node) -> Result<()> {
        match node {
            Node::Mapping(members) => {
                for idx in 0..members.len() {
                    // Of equal keys only the first is ever found.
                    let idx =
                        match members[..idx].iter().position(|(key, _)| key.value == members[idx].0.value) {
                            Some(first) => first,
                            None => idx,
                        };
                    let (key, value) = &mut members[idx];
                    self.walk(value)?;
                    if matches!(key.value.as_str(), "containers" | "initContainers") {
                        self.list(value)?;
                    }
                }
                Ok(())
            }
            Node::Sequence(items) => items.iter_mut().try_for_each(|item| self.walk(item)),
            Node::Scalar(_) => Ok(()),
        }
    }

    fn list(&self, node: &mut Node) -> Result<()> {
        for item in node.items_mut().into_iter().flatten() {
            path::field(item, "image")?;
            if let Some(image) = item.get_mut("image") {
                self.set(image)?;
            }
        }
        Ok(())
    }

    fn set(&self, node: &mut Node) -> Result<()> {
        node.expect_kind(Kind::Scalar)?;
        let text = node.text();
        if !self.pattern.is_match(text) {
            return Ok(());
        }
        let changed = self.changed(text);
        set_scalar(node, Scalar::untagged(changed))
    }

    fn changed(&self, text: &str) -> String {
        let Image { new_name, tag_suffix, new_tag, digest: new_digest, .. } = &self.image;
        let (name, tag, digest) = split(text);
        let name = if new_name.is_empty() { name } else { new_name.as_str() };
        let suffixed;
        let (tag, digest) = match (new_tag.is_empty(), new_digest.is_empty()) {
            (false, false) => (new_tag.as_str(), new_digest.as_str()),
            (false, true) => (new_tag.as_str(), ""),
            (true, false) => ("", new_digest.as_str()),
            (true, true) if tag_suffix.is_empty() => (tag, digest),
            (true, true) => {
                suffixed = format!("{tag}{tag_suffix}");
                (suffixed.as_str(), "")
            }
        };
        let mut image = name.to_owned();
        for (sign, part) in [(':', tag), ('@', digest)] {
            if !part.is_empty() {
                image.push(sign);
                image.push_str(part);
            }
        }
        image
    }
}

fn is_definition(node: &Node) -> bool {
    node.get("kind").is_some_and(|kind| kind.value() == "CustomResourceDefinition")
}

/// Name, tag and digest of an image.
#[must_use]
pub fn split(image: &str) -> (&str, &str, &str) {
    // A colon in the registry's part is that of a port.
    let from = image.find('/').unwrap_or(0);
    let find = |sign: char| image[from..].find(sign).map(|idx| idx + from);
    match (find(':'), find('@')) {
        (None, None) => (image, "", ""),
        (Some(colon), Some(at)) if colon < at => (&image[..colon], &image[colon + 1..at], &image[at + 1..]),
        (_, Some(at)) => (&image[..at], "", &image[at + 1..]),
        (Some(colon), None) => (&image[..colon], &image[colon + 1..], ""),
    }
}
