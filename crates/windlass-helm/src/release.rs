//! The release that a chart is rendered for.

/// What `.Release` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Where it is installed.
    pub namespace: String,
    /// How often it was installed or upgraded.
    pub revision: i64,
    /// Whether it is there already.
    pub is_upgrade: bool,
}

/// A name that no release may have, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseNameError {
    /// There is none.
    #[error("release name \"\": no name provided")]
    Missing,
    /// It is too long, or has other characters than lower case letters, digits, dashes and dots.
    #[error(
        "release name {0:?}: invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
    )]
    Invalid(String),
}

/// The longest name of a release: 63 characters of a label, less ten for what charts append.
pub const MAX_RELEASE_NAME: usize = 53;

impl Release {
    /// The first revision of a release that is to be installed.
    ///
    /// # Errors
    /// A name that no release may have.
    pub fn install(name: impl Into<String>, namespace: impl Into<String>) -> Result<Self, ReleaseNameError> {
        let name = name.into();
        check_name(&name)?;
        Ok(Self { name, namespace: namespace.into(), revision: 1, is_upgrade: false })
    }
}

/// Checks the name of a release.
///
/// # Errors
/// A name that no release may have.
pub fn check_name(name: &str) -> Result<(), ReleaseNameError> {
    if name.is_empty() {
        return Err(ReleaseNameError::Missing);
    }
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if is_inner(*first) && is_inner(*last))
            && bytes.iter().all(|byte| is_inner(*byte) || *byte == b'-')
    };
    if name.len() > MAX_RELEASE_NAME || !name.split('.').all(is_label) {
        return Err(ReleaseNameError::Invalid(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_joined_by_dots() {
        for name in ["a", "web-1", "web.prod", "1"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["Web", "-a", "a-", "a..b", "a_b", "ä", &"a".repeat(54)] {
            assert!(matches!(check_name(name), Err(ReleaseNameError::Invalid(_))), "{name}");
        }
        assert_eq!(check_name(""), Err(ReleaseNameError::Missing));
    }
}
