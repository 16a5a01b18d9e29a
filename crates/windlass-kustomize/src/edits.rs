//! The edits that Argo CD and Flux make to a kustomization before they build it.
//!
//! Both write them into the file in their work tree. Here they change the kustomization that was read.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::error::{Error, Result};
use crate::kustomization::{Image, Kustomization, Label, Patch, Replica};

/// One edit.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Sets the prefix of names: `kustomize edit set nameprefix`.
    NamePrefix(SmolStr),
    /// Sets the suffix of names: `kustomize edit set namesuffix`.
    NameSuffix(SmolStr),
    /// Sets the namespace: `kustomize edit set namespace`.
    Namespace(SmolStr),
    /// Sets images in the form of Argo CD, `name=new:tag` and the like: `kustomize edit set image`.
    Images(Vec<SmolStr>),
    /// Sets images part by part, as Flux does.
    ImageOverrides(Vec<Image>),
    /// Sets numbers of replicas: `kustomize edit set replicas`.
    Replicas(Vec<Replica>),
    /// Adds labels: `kustomize edit add label`.
    Labels {
        /// The labels.
        labels: BTreeMap<SmolStr, SmolStr>,
        /// Whether one that is there is replaced; otherwise it is an error.
        force: bool,
        /// Whether selectors are left alone.
        without_selector: bool,
        /// Whether templates get them though selectors do not.
        include_templates: bool,
    },
    /// Adds annotations: `kustomize edit add annotation`.
    Annotations {
        /// The annotations.
        annotations: BTreeMap<SmolStr, SmolStr>,
        /// Whether one that is there is replaced; otherwise it is an error.
        force: bool,
    },
    /// Adds patches.
    Patches(Vec<Patch>),
    /// Adds components, each once.
    Components(Vec<SmolStr>),
    /// Sets what is written onto the output.
    BuildMetadata(Vec<SmolStr>),
}

impl Edit {
    /// Makes the edit.
    ///
    /// # Errors
    /// A label or an annotation that is there already, a text that names no image.
    pub fn apply(&self, kustomization: &mut Kustomization) -> Result<()> {
        match self {
            Self::NamePrefix(prefix) => kustomization.name_prefix.clone_from(prefix),
            Self::NameSuffix(suffix) => kustomization.name_suffix.clone_from(suffix),
            Self::Namespace(namespace) => kustomization.namespace.clone_from(namespace),
            Self::Images(images) => {
                for text in images {
                    let image = parse_image(text)?;
                    set_image(&mut kustomization.images, image);
                }
            }
            Self::ImageOverrides(images) => {
                images.iter().for_each(|image| override_image(&mut kustomization.images, image));
            }
            Self::Replicas(replicas) => set_replicas(&mut kustomization.replicas, replicas),
            Self::Labels { labels, force, without_selector, include_templates } => {
                add_labels(kustomization, labels, *force, *without_selector, *include_templates)?;
            }
            Self::Annotations { annotations, force } => {
                add_pairs("annotation", &mut kustomization.common_annotations, annotations, *force)?;
            }
            Self::Patches(patches) => kustomization.patches.extend(patches.iter().cloned()),
            Self::Components(components) => {
                for component in components {
                    if !kustomization.components.contains(component) {
                        kustomization.components.push(component.clone());
                    }
                }
            }
            Self::BuildMetadata(metadata) => kustomization.build_metadata.clone_from(metadata),
        }
        Ok(())
    }
}

/// Reads `name=new:tag@digest`, with any part but the first left out, as `kustomize edit set image` does.
///
/// # Errors
/// A text that names no image.
pub fn parse_image(text: &str) -> Result<Image> {
    let malformed = || {
        Error::invalid(format!(
            "invalid format of image '{text}', use one of <image>=<newimage>:<newtag>, <image>=<newimage>@<digest>, <image>=<newimage>, <image>:<newtag>, <image>@<digest>"
        ))
    };
    let (name, new) = match text.split_once('=') {
        Some((name, new)) if !name.is_empty() => (Some(name), new),
        Some(_) => return Err(malformed()),
        None => (None, text),
    };
    let (rest, digest) = new.split_once('@').map_or((new, ""), |(rest, digest)| (rest, digest));
    // A colon before the last slash is that of a port.
    let slash = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (image, tag) = match rest[slash..].find(':') {
        Some(colon) => (&rest[..slash + colon], &rest[slash + colon + 1..]),
        None => (rest, ""),
    };
    if image.is_empty() || (name.is_none() && tag.is_empty() && digest.is_empty()) {
        return Err(malformed());
    }
    let keep = |text: &str| if text == "*" { SmolStr::default() } else { text.into() };
    Ok(Image {
        name: name.unwrap_or(image).into(),
        new_name: if name.is_some() { keep(image) } else { SmolStr::default() },
        new_tag: keep(tag),
        digest: keep(digest),
        tag_suffix: SmolStr::default(),
    })
}

/// Puts an image in the place of one with its name; the list is sorted by name afterwards.
fn set_image(images: &mut Vec<Image>, image: Image) {
    match images.iter_mut().find(|own| own.name == image.name) {
        Some(own) => {
            let new_name = if image.new_name.is_empty() { own.new_name.clone() } else { image.new_name };
            let keeps = image.new_tag.is_empty() && image.digest.is_empty();
            let (new_tag, digest) =
                if keeps { (own.new_tag.clone(), own.digest.clone()) } else { (image.new_tag, image.digest) };
            *own = Image { name: image.name, new_name, new_tag, digest, tag_suffix: own.tag_suffix.clone() };
        }
        None => images.push(image),
    }
    images.sort_by(|a, b| a.name.cmp(&b.name));
}

/// Sets the parts of an image that are said; tag and digest are one part.
fn override_image(images: &mut Vec<Image>, image: &Image) {
    match images.iter_mut().find(|own| own.name == image.name) {
        Some(own) => {
            if !image.new_name.is_empty() {
                own.new_name.clone_from(&image.new_name);
            }
            if !image.new_tag.is_empty() || !image.digest.is_empty() {
                own.new_tag.clone_from(&image.new_tag);
                own.digest.clone_from(&image.digest);
            }
        }
        None => images.push(image.clone()),
    }
}

fn set_replicas(own: &mut Vec<Replica>, replicas: &[Replica]) {
    for replica in replicas {
        match own.iter_mut().find(|own| own.name == replica.name) {
            Some(own) => own.count = replica.count,
            None => own.push(replica.clone()),
        }
    }
    own.sort_by(|a, b| a.name.cmp(&b.name));
}

fn add_labels(
    kustomization: &mut Kustomization,
    labels: &BTreeMap<SmolStr, SmolStr>,
    force: bool,
    without_selector: bool,
    include_templates: bool,
) -> Result<()> {
    if !without_selector {
        return add_pairs("label", &mut kustomization.common_labels, labels, force);
    }
    let same = |own: &Label| {
        !own.include_selectors && own.include_templates == include_templates && own.fields.is_empty()
    };
    if let Some(own) = kustomization.labels.iter_mut().find(|own| same(own)) {
        return add_pairs("label", &mut own.pairs, labels, force);
    }
    let pairs = labels.clone();
    kustomization.labels.push(Label { pairs, include_templates, ..Label::default() });
    Ok(())
}

fn add_pairs(
    what: &str,
    own: &mut BTreeMap<SmolStr, SmolStr>,
    new: &BTreeMap<SmolStr, SmolStr>,
    force: bool,
) -> Result<()> {
    for (key, value) in new {
        if own.contains_key(key) && !force {
            return Err(Error::invalid(format!("{what} {key} already in kustomization file")));
        }
        own.insert(key.clone(), value.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_in_all_forms() {
        let image = |text: &str| {
            let image = parse_image(text).unwrap();
            [image.name, image.new_name, image.new_tag, image.digest].map(|part| part.to_string())
        };
        assert_eq!(image("nginx:1.2"), ["nginx", "", "1.2", ""]);
        assert_eq!(image("r:5000/nginx@sha256:ab"), ["r:5000/nginx", "", "", "sha256:ab"]);
        assert_eq!(image("nginx=r:5000/x:2"), ["nginx", "r:5000/x", "2", ""]);
        assert_eq!(image("nginx=x"), ["nginx", "x", "", ""]);
        assert!(parse_image("nginx").is_err());
    }

    #[test]
    fn what_is_there_is_replaced_by_force_only() {
        let mut kustomization = Kustomization::default();
        let labels: BTreeMap<SmolStr, SmolStr> = [("a".into(), "b".into())].into();
        let edit = |force| Edit::Labels {
            labels: labels.clone(),
            force,
            without_selector: false,
            include_templates: false,
        };
        edit(false).apply(&mut kustomization).unwrap();
        assert!(edit(false).apply(&mut kustomization).is_err());
        edit(true).apply(&mut kustomization).unwrap();
    }
}
