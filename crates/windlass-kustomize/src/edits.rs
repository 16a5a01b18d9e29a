//! The edits that Argo CD and Flux make to a kustomization before they build it.
//!
//! Both write them into the file in their work tree. Here they change the kustomization that was read.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use crate::error::{Error, Result};
use crate::filters::images;
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
    /// Adds strategic merge patches, or their files, in the deprecated field, as Flux does for its older versions.
    PatchesStrategicMerge(Vec<SmolStr>),
    /// Adds JSON patches in the deprecated field, as Flux does for its older versions.
    PatchesJson6902(Vec<Patch>),
    /// Adds components, each once: `kustomize edit add component`.
    Components(Vec<SmolStr>),
    /// Adds components, those that are there already once more, as Flux does.
    MoreComponents(Vec<SmolStr>),
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
                set_images(&mut kustomization.images, images)?;
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
            Self::PatchesStrategicMerge(patches) => {
                kustomization.patches_strategic_merge.extend(patches.iter().cloned());
            }
            Self::PatchesJson6902(patches) => kustomization.patches_json.extend(patches.iter().cloned()),
            Self::MoreComponents(components) => kustomization.components.extend(components.iter().cloned()),
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

/// Whether Flux takes a component's path: one that is relative, and no address.
#[must_use]
pub fn is_local_path(path: &str) -> bool {
    const ELSEWHERE: [&str; 8] =
        ["git::", "gh:", "ssh://", "https://", "http://", "git@", "github.com:", "github.com/"];
    let lower = path.to_ascii_lowercase();
    let is_elsewhere = ELSEWHERE.iter().any(|prefix| lower.len() > prefix.len() && lower.starts_with(prefix));
    let local = lower.strip_prefix("file://").unwrap_or(&lower);
    !is_elsewhere && !path.starts_with('/') && !local.starts_with('/')
}

/// Stands in an image's text for what the kustomization says.
const KEEP: &str = "*";

/// Reads `name=new:tag@digest`, with any part but the first left out, as `kustomize edit set image` does. A part may be
/// `*`: what the kustomization says of it stays.
///
/// # Errors
/// A text that changes nothing.
pub fn parse_image(text: &str) -> Result<Image> {
    let (name, new) = text.split_once('=').map_or((None, text), |(name, new)| (Some(name), new));
    let (image, tag, digest) = images::split(new);
    if image == text {
        return Err(Error::invalid(
            "invalid format of image, use one of the following options:\n\
             - <image>=<newimage>:<newtag>\n\
             - <image>=<newimage>@<digest>\n\
             - <image>=<newimage>:<newtag>@<digest>\n\
             - <image>=<newimage>\n\
             - <image>:<newtag>\n\
             - <image>:<newtag>@<digest>\n\
             - <image>@<digest>",
        ));
    }
    let mut parsed = Image { new_tag: tag.into(), digest: digest.into(), ..Image::default() };
    match name.filter(|name| !name.is_empty()) {
        Some(name) => (parsed.name, parsed.new_name) = (name.into(), image.into()),
        None => parsed.name = image.into(),
    }
    Ok(parsed)
}

/// Puts images in the place of those with their names, whole; the list is sorted by name afterwards.
fn set_images(own: &mut Vec<Image>, texts: &[SmolStr]) -> Result<()> {
    let mut new: BTreeMap<SmolStr, Image> = BTreeMap::new();
    for text in texts {
        let image = parse_image(text)?;
        new.insert(image.name.clone(), image);
    }
    let none = Image::default();
    for image in new.values_mut() {
        let before = own.iter().find(|before| before.name == image.name).unwrap_or(&none);
        for (part, kept) in [
            (&mut image.new_name, &before.new_name),
            (&mut image.new_tag, &before.new_tag),
            (&mut image.digest, &before.digest),
        ] {
            if *part == KEEP {
                part.clone_from(kept);
            }
        }
    }
    let set: BTreeSet<SmolStr> = new.keys().cloned().collect();
    // What is not said of an image that is set is gone; of others with equal names the last counts.
    for image in std::mem::take(own).into_iter().filter(|image| !set.contains(&image.name)) {
        new.insert(image.name.clone(), image);
    }
    *own = new.into_values().collect();
    Ok(())
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
    if include_templates && !without_selector {
        return Err(Error::invalid(
            "--without-selector flag must be specified for --include-templates to work",
        ));
    }
    if !without_selector {
        return add_pairs("label", &mut kustomization.common_labels, labels, force);
    }
    let same = |own: &Label| !own.include_selectors && own.include_templates == include_templates;
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
            return Err(Error::invalid(format!(
                "{what} {key} already in kustomization file. Use --force to override."
            )));
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
        assert_eq!(image("nginx=*:2@*"), ["nginx", "*", "2", "*"]);
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
