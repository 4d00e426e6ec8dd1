//! The XHTML subset of narratives (FHIR R4 §2.4.0.1, txt-1 and txt-2).
//!
//! Why an allow-list over a scanner of our own: what passes here may one day be shown in a browser, so
//! scripts, frames, forms, event attributes and odd schemes must not get past intake.

const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "map",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
];

const ATTRIBUTES: &[&str] = &[
    "abbr",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "char",
    "charoff",
    "cite",
    "class",
    "colspan",
    "coords",
    "dir",
    "headers",
    "height",
    "href",
    "id",
    "lang",
    "name",
    "rel",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "title",
    "type",
    "valign",
    "value",
    "width",
    "xml:lang",
    "xmlns",
];

const SCHEMES: &[&str] = &["http", "https", "mailto", "tel", "urn", "cid"];

const NOT_A_DIV: &str = "must be one div element of the XHTML namespace";
const MALFORMED: &str = "is not well-formed XHTML";

/// Checks the text of `Narrative.div`.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.trim();
    let mut ink = false;
    if !rest.starts_with("<div") {
        return Err(NOT_A_DIV);
    }
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        ink |= characters(before)?;
        if open.len() > 64 {
            return Err("is nested deeper than is accepted");
        }
        if let Some(comment) = tag.strip_prefix("<!--") {
            rest = comment.split_once("-->").ok_or(MALFORMED)?.1;
        } else if let Some(end) = tag.strip_prefix("</") {
            let (name, after) = end.split_once('>').ok_or(MALFORMED)?;
            if open.pop() != Some(name.trim_end()) {
                return Err(MALFORMED);
            }
            rest = after;
        } else {
            let root = open.is_empty();
            let (name, closed, after, namespace) = start_tag(tag.strip_prefix('<').ok_or(MALFORMED)?)?;
            if root && !namespace {
                return Err(NOT_A_DIV);
            }
            ink |= name == "img";
            if !closed {
                open.push(name);
            }
            rest = after;
        }
        if open.is_empty() {
            break;
        }
    }
    if !open.is_empty() || !rest.is_empty() {
        return Err(if open.is_empty() { NOT_A_DIV } else { MALFORMED });
    }
    if ink { Ok(()) } else { Err("must hold some text") }
}

/// Reads from after `<`: name, whether it closes itself, what follows, and whether it declares the namespace.
fn start_tag(tag: &str) -> Result<(&str, bool, &str, bool), &'static str> {
    let end = tag.find(|c: char| !c.is_ascii_alphanumeric()).ok_or(MALFORMED)?;
    let (name, mut rest) = tag.split_at(end);
    if !ELEMENTS.contains(&name) {
        return Err("holds an element that narratives may not have");
    }
    let mut namespace = false;
    let mut seen = Vec::new();
    loop {
        let trimmed = rest.trim_start();
        if let Some(after) = trimmed.strip_prefix("/>") {
            return Ok((name, true, after, namespace));
        }
        if let Some(after) = trimmed.strip_prefix('>') {
            return Ok((name, false, after, namespace));
        }
        if trimmed.len() == rest.len() {
            return Err(MALFORMED);
        }
        let (attribute, after) = trimmed.split_once('=').ok_or(MALFORMED)?;
        let attribute = attribute.trim_end();
        let after = after.trim_start();
        let quote = after.chars().next().filter(|q| matches!(q, '"' | '\'')).ok_or(MALFORMED)?;
        let (value, after) = after.get(1..).and_then(|v| v.split_once(quote)).ok_or(MALFORMED)?;
        if !ATTRIBUTES.contains(&attribute) {
            return Err("holds an attribute that narratives may not have");
        }
        if seen.contains(&attribute) || value.contains('<') {
            return Err(MALFORMED);
        }
        seen.push(attribute);
        characters(value)?;
        if matches!(attribute, "href" | "src" | "cite") && !link(value) {
            return Err("holds a link of a kind that narratives may not have");
        }
        namespace |= attribute == "xmlns" && value == "http://www.w3.org/1999/xhtml";
        rest = after;
    }
}

/// Whether there is more than blanks; every ampersand must begin an entity.
fn characters(text: &str) -> Result<bool, &'static str> {
    for after in text.split('&').skip(1) {
        let (name, _) = after.split_once(';').ok_or(MALFORMED)?;
        if name.is_empty() || name.len() > 10 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#') {
            return Err(MALFORMED);
        }
    }
    Ok(text.contains(|c: char| !c.is_whitespace()))
}

/// A scheme hidden by entities, blanks or control characters is none of ours and fails.
fn link(value: &str) -> bool {
    match value.split_once(':') {
        None => true,
        Some((scheme, _)) if SCHEMES.contains(&scheme) => true,
        Some(("data", image)) => {
            ["image/png;", "image/gif;", "image/jpeg;"].iter().any(|t| image.trim_start().starts_with(t))
        }
        Some((before, _)) => before.contains(['/', '#', '?']) && !before.contains(|c: char| c.is_control() || c == '&'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn div(inner: &str) -> Result<(), &'static str> {
        check(&format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>"))
    }

    #[test]
    fn plain_formatting_is_accepted() {
        for good in [
            "<p><b>a</b> &amp; b<br/></p>",
            "<a href=\"#x\">x</a>",
            "<img src=\"data:image/png;base64,AA\" alt=''/>",
            "<!-- c -->x",
        ] {
            assert_eq!(div(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_could_act_in_a_browser_is_refused() {
        for bad in [
            "<script>1</script>",
            "<SCRIPT>1</SCRIPT>",
            "<p onclick=\"x\">a</p>",
            "<a href=\"javascript:x\">a</a>",
            "<a href=\"java&#115;cript:x\">a</a>",
            "<a href=\" javascript:x\">a</a>",
            "<iframe src=\"x\"/>",
            "<form>a</form>",
            "<p>a",
            "a & b",
            "</div><div>",
            "<p/ >",
            "<!DOCTYPE x>",
            "",
            " \n ",
            "<a href='x' href='y'>a</a>",
            "<img/src=\"x\"/>",
        ] {
            assert!(div(bad).is_err(), "{bad}");
        }
        assert!(
            check("<div>a</div>").is_err()
                && check("a").is_err()
                && check("<p xmlns=\"http://www.w3.org/1999/xhtml\">a</p>").is_err()
        );
    }
}
