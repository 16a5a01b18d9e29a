//! Answers to what lists objects: XML of a fixed form, and JSON of Google's.

use serde::Deserialize;

/// One page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) objects: Vec<(String, Object)>,
    /// What to ask for the next page with.
    pub(super) next: Option<String>,
}

/// An object of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    /// What changes with its content, without quotation marks.
    pub(super) etag: String,
}

impl Listing {
    /// Reads a page whose keys were asked for in the encoding of URLs; `None` when it is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let body = inside(text, "ListBucketResult")?;
        let is_encoded = inside(body, "EncodingType") == Some("url");
        let decoded = |text: &str| {
            let text = unescaped(text);
            // Some servers write spaces as forms do.
            if is_encoded { crate::url::percent_decode(&text.replace('+', " ")) } else { text }
        };
        let mut listing = Self::default();
        let mut rest = body;
        while let Some((content, after)) = element(rest, "Contents") {
            let key = decoded(inside(content, "Key")?);
            let etag = unescaped(inside(content, "ETag")?).trim_matches('"').to_owned();
            listing.objects.push((key, Object { etag }));
            rest = after;
        }
        let is_truncated = inside(body, "IsTruncated").is_some_and(|text| text.trim() == "true");
        if is_truncated {
            listing.next = Some(unescaped(inside(body, "NextContinuationToken")?));
        }
        Some(listing)
    }
}

impl Listing {
    /// Reads a page of the answer to Azure's `List Blobs`; `None` when it is none.
    pub(super) fn parse_azure(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let body = inside(text.trim_start_matches('\u{feff}'), "EnumerationResults")?;
        let mut listing = Self::default();
        let mut rest = inside(body, "Blobs")?;
        while let Some((content, after)) = element(rest, "Blob") {
            let key = unescaped(inside(content, "Name")?);
            let etag = unescaped(inside(content, "Etag")?).trim_matches('"').to_owned();
            listing.objects.push((key, Object { etag }));
            rest = after;
        }
        listing.next = inside(body, "NextMarker").map(unescaped).filter(|marker| !marker.is_empty());
        Some(listing)
    }
}

#[derive(Deserialize)]
struct GooglePage {
    #[serde(default)]
    items: Vec<GoogleObject>,
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct GoogleObject {
    name: String,
    etag: Option<String>,
    generation: Option<String>,
}

impl Listing {
    /// Reads a page of the answer to Google's `objects.list`; `None` when it is none. Where a server gives no ETags, the
    /// generation counts, which is the time of the last write.
    pub(super) fn parse_google(bytes: &[u8]) -> Option<Self> {
        let page: GooglePage = serde_json::from_slice(bytes).ok()?;
        let is_said = |text: &String| !text.is_empty();
        let objects = page.items.into_iter().map(|object| {
            let etag = object.etag.filter(is_said).or(object.generation.filter(is_said))?;
            Some((object.name, Object { etag }))
        });
        Some(Self { objects: objects.collect::<Option<_>>()?, next: page.next.filter(is_said) })
    }
}

/// The content of the first element of a name.
pub(crate) fn inside<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    element(text, name).map(|(content, _)| content)
}

/// The content of the first element of a name, and what is behind it.
fn element<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find(&format!("<{name}"))?;
        let tag_end = start + text[start..].find('>')?;
        let behind_name = text[start + 1 + name.len()..].chars().next()?;
        // Another element may begin with the name.
        if !matches!(behind_name, '>' | ' ' | '/' | '\n' | '\t' | '\r') {
            from = tag_end;
            continue;
        }
        if text[..tag_end].ends_with('/') {
            return Some(("", &text[tag_end + 1..]));
        }
        let content = &text[tag_end + 1..];
        let end = content.find(&format!("</{name}>"))?;
        return Some((&content[..end], &content[end + name.len() + 3..]));
    }
}

/// Text with its entities resolved.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let found = behind.split_once(';').and_then(|(name, after)| Some((entity(name)?, after)));
        match found {
            Some((letter, after)) => {
                out.push(letter);
                rest = after;
            }
            None => {
                out.push('&');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_keys_etags_and_where_the_next_one_begins() {
        let text = "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Name>b</Name><KeyCount>2</KeyCount><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
            <Contents><Key>a%20b/c%26d</Key><ETag>&quot;1&quot;</ETag><Size>1</Size></Contents>\
            <Contents><ETag>\"2-1\"</ETag><Key>e&#43;f</Key></Contents>\
            <NextContinuationToken>t&amp;1</NextContinuationToken></ListBucketResult>";
        let object = |etag: &str| Object { etag: etag.into() };
        let listing = Listing::parse(text.as_bytes()).unwrap();
        assert_eq!(listing.objects, [("a b/c&d".into(), object("1")), ("e f".into(), object("2-1"))]);
        assert_eq!(listing.next.as_deref(), Some("t&1"));
        let empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
        assert_eq!(Listing::parse(empty.as_bytes()), Some(Listing::default()));
    }

    #[test]
    fn whatever_is_no_list_is_refused() {
        let whole = "<ListBucketResult><Contents><Key>k</Key><ETag>e</ETag></Contents></ListBucketResult>";
        for end in 0..whole.len() {
            assert_eq!(Listing::parse(&whole.as_bytes()[..end]), None, "{end}");
        }
        assert_eq!(Listing::parse(b"<Error><Code>NoSuchBucket</Code></Error>"), None);
        assert_eq!(Listing::parse(b"\xff"), None);
    }
}
