//! Reads Rust source as far as the walls need it: which paths a file names, and which part of it is test code.

/// A name such as `crate::vault::Opener`, and the line it stands on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    pub(crate) path: String,
    pub(crate) line: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    /// `::`
    Then,
    Mark(char),
}

/// Blanks comments, strings and characters; every line stays where it was.
pub(crate) fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match (at(i), at(i + 1)) {
            ('/', '/') => (i..chars.len()).find(|&j| at(j) == '\n').unwrap_or(chars.len()),
            ('/', '*') => end_of_comment(&chars, i),
            ('"', _) => end_of_string(&chars, i),
            ('r', '"' | '#') if !is_word(at(i.wrapping_sub(1))) || at(i.wrapping_sub(1)) == 'b' => {
                end_of_raw(&chars, i).unwrap_or(i)
            }
            ('\'', '\\') => (i + 3..chars.len()).find(|&j| at(j) == '\'').map_or(chars.len(), |j| j + 1),
            ('\'', _) if at(i + 2) == '\'' => i + 3,
            _ => i,
        };
        if end == i {
            out.push(at(i));
            i += 1;
        } else {
            out.extend((i..end).map(|j| if at(j) == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    out
}

fn end_of_comment(chars: &[char], from: usize) -> usize {
    let (mut depth, mut i) = (0_usize, from);
    while let Some(two) = chars.get(i..i + 2) {
        match two {
            ['/', '*'] => (depth, i) = (depth + 1, i + 2),
            ['*', '/'] if depth == 1 => return i + 2,
            ['*', '/'] => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], from: usize) -> usize {
    let mut i = from + 1;
    while let Some(c) = chars.get(i) {
        match c {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn end_of_raw(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars.iter().skip(from + 1).take_while(|c| **c == '#').count();
    let open = from + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |i: &usize| chars.iter().skip(*i + 1).take(hashes).filter(|c| **c == '#').count() == hashes;
    (open + 1..chars.len()).filter(|i| chars.get(*i) == Some(&'"')).find(closes).map(|i| i + 1 + hashes)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Blanked code without its test items, and the modules that are declared for tests only.
pub(crate) fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let (mut out, mut modules, mut rest) = (String::new(), Vec::new(), code);
    while let Some((before, after)) = rest.split_once(MARK) {
        out.push_str(before);
        let end = end_of_item(after);
        let item = after.get(..end).unwrap_or(after);
        if let Some((head, _)) = item.split_once(';')
            && !head.contains('{')
            && let Some((_, name)) = head.split_once("mod ")
        {
            modules.push(name.trim().to_owned());
        }
        out.extend(item.chars().filter(|c| *c == '\n'));
        rest = after.get(end..).unwrap_or("");
    }
    out.push_str(rest);
    (out, modules)
}

/// Where the item at the start of `code` ends: at its `;`, or at the brace that closes its body.
fn end_of_item(code: &str) -> usize {
    let mut depth = 0_usize;
    for (i, c) in code.char_indices() {
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && c == '}' {
                    return i + 1;
                }
            }
            ';' if depth == 0 => return i + 1,
            _ => {}
        }
    }
    code.len()
}

/// All paths that blanked code names, with those inside `use` trees written out.
pub(crate) fn named(code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let back = |n: usize| i.checked_sub(n).and_then(|j| tokens.get(j)).map(|(t, _)| t);
        let starts = match back(1) {
            // `Vec::new`: the second word goes on; `::ring`: it starts.
            Some(Token::Then) => match back(2) {
                Some(Token::Mark('>')) => back(3) == Some(&Token::Mark('-')),
                Some(Token::Word(_)) => false,
                _ => true,
            },
            Some(Token::Mark('.')) => false,
            _ => true,
        };
        let imports = matches!(tokens.get(i), Some((Token::Word(w), _)) if w == "use");
        if imports {
            i = tree(&tokens, i + 1, "", &mut found);
        } else if starts && matches!(tokens.get(i), Some((Token::Word(_), _))) {
            i = plain(&tokens, i, &mut found);
        } else {
            i += 1;
        }
    }
    found
}

/// A path outside `use`: noted when it has two words at least. Gives the place after it.
fn plain(tokens: &[(Token, usize)], from: usize, found: &mut Vec<Named>) -> usize {
    let (mut path, mut i, mut words) = (String::new(), from, 0);
    let line = tokens.get(from).map_or(0, |t| t.1);
    while let Some((Token::Word(word), _)) = tokens.get(i) {
        if words > 0 {
            path.push_str("::");
        }
        path.push_str(word);
        (words, i) = (words + 1, i + 1);
        if !matches!(tokens.get(i), Some((Token::Then, _))) || !matches!(tokens.get(i + 1), Some((Token::Word(_), _))) {
            break;
        }
        i += 1;
    }
    if words > 1 {
        found.push(Named { path, line });
    }
    i.max(from + 1)
}

/// One `use` tree below `prefix`. Gives the place after it.
fn tree(tokens: &[(Token, usize)], from: usize, prefix: &str, found: &mut Vec<Named>) -> usize {
    let (mut path, mut i) = (prefix.to_owned(), from);
    let line = tokens.get(from).map_or(0, |t| t.1);
    loop {
        match tokens.get(i).map(|(t, _)| t) {
            Some(Token::Word(word)) if word == "as" => i += 2,
            Some(Token::Word(word)) => {
                if !path.is_empty() {
                    path.push_str("::");
                }
                path.push_str(word);
                i += 1;
            }
            Some(Token::Then) => i += 1,
            Some(Token::Mark('*')) => {
                path.push_str("::*");
                i += 1;
            }
            Some(Token::Mark('{')) => {
                i += 1;
                while !matches!(tokens.get(i), None | Some((Token::Mark('}'), _))) {
                    i = tree(tokens, i, &path, found);
                    if matches!(tokens.get(i), Some((Token::Mark(','), _))) {
                        i += 1;
                    } else if !matches!(tokens.get(i), Some((Token::Mark('}'), _))) {
                        return i + 1;
                    }
                }
                return i + 1;
            }
            _ => break,
        }
    }
    found.push(Named { path, line });
    i
}

fn tokens(code: &str) -> Vec<(Token, usize)> {
    let (mut out, mut line) = (Vec::new(), 1);
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        } else if c == ':' && chars.peek() == Some(&':') {
            chars.next();
            out.push((Token::Then, line));
        } else if is_word(c) {
            let mut word = String::from(c);
            while let Some(more) = chars.next_if(|c| is_word(*c)) {
                word.push(more);
            }
            out.push((Token::Word(word), line));
        } else if !c.is_whitespace() {
            out.push((Token::Mark(c), line));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(code: &str) -> Vec<String> {
        named(&blanked(code)).into_iter().map(|n| n.path).collect()
    }

    #[test]
    fn every_way_of_naming_is_seen() {
        assert_eq!(
            paths("use crate::{store::{self, Store as S}, vault};"),
            ["crate::store::self", "crate::store::Store", "crate::vault"]
        );
        assert_eq!(
            paths("fn f(x: Vec<crate::db::Db>) -> ::ring::digest::Digest {}"),
            ["crate::db::Db", "ring::digest::Digest"]
        );
        assert_eq!(paths("pub use ring as r; let x = <T as sqlx::Type>::info();"), ["ring", "sqlx::Type"]);
        assert_eq!(paths("use crate::*; #[derive(serde::Serialize)] struct X;"), ["crate::*", "serde::Serialize"]);
        assert_eq!(
            paths("use std::{\n fs, net::{\n TcpStream,\n },\n};\nuse a;"),
            ["std::fs", "std::net::TcpStream", "a"]
        );
    }

    #[test]
    fn what_is_not_code_names_nothing() {
        let hidden = r##"// crate::store
            /* crate::store /* crate::store */ */ let a = "crate::store \" crate::store"; let c = '"';
            let b = r#"crate::store " crate::store"#; let l: &'static str = b"crate::vault"; x.ring::<u8>();"##;
        assert_eq!(paths(hidden), Vec::<String>::new());
        assert_eq!(blanked(hidden).lines().count(), hidden.lines().count());
    }

    #[test]
    fn test_code_is_told_from_the_rest() {
        let (code, modules) = without_tests(
            "use a::b;\n#[cfg(test)]\nmod samples;\n#[cfg(test)]\nmod tests {\n fn x() { c::d() }\n}\nfn y() { e::f() }",
        );
        assert_eq!(modules, ["samples"]);
        let found: Vec<_> = named(&code).into_iter().map(|n| (n.path, n.line)).collect();
        assert_eq!(found, [("a::b".to_owned(), 1), ("e::f".to_owned(), 8)]);
    }
}
