//! Where a person may be sent on to: a path of this server, nothing else (O26).

/// Where people go who asked for nothing.
pub(super) const DEFAULT: &str = "/login";

const LONGEST: usize = 4096;

/// `text` if it is a local path, else the default.
pub(super) fn local(text: Option<&str>) -> &str {
    let Some(text) = text else { return DEFAULT };
    let mut bytes = text.bytes();
    // `//host` and `/\host` are other hosts to a browser, which also drops tabs and line ends before it looks.
    let good = bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && text.len() <= LONGEST
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if good { text } else { DEFAULT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_server_is_gone_on_to() {
        for good in ["/", "/oauth/authorize?client_id=a&request_uri=urn:x:1", "/a//b", "/%2f%2fevil"] {
            assert_eq!(local(Some(good)), good);
        }
        let long = format!("/{}", "a".repeat(LONGEST));
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "evil",
            "/a\r\nSet-Cookie: x",
            "\\\\evil",
            "/a\\b",
            "/é",
            " /a",
            &long,
        ] {
            assert_eq!(local(Some(bad)), DEFAULT, "{bad}");
        }
        assert_eq!(local(None), DEFAULT);
    }
}
