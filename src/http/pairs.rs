//! Query strings and forms, read strictly: what two readers could read differently is refused.

use std::borrow::Cow;

/// The text is not `application/x-www-form-urlencoded` as we accept it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the parameters are not well-formed")]
pub struct BadPairs;

/// A decoded name and its decoded value.
pub type Pair<'t> = (Cow<'t, str>, Cow<'t, str>);

/// The decoded names and values, in order; repeats are kept for the caller to judge.
///
/// # Errors
/// [`BadPairs`] for a broken escape, text that is not UTF-8, NUL, or an empty name.
pub fn pairs(text: &str) -> Result<Vec<Pair<'_>>, BadPairs> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if name.is_empty() { Err(BadPairs) } else { Ok((name, value)) }
        })
        .collect()
}

fn decode(text: &str) -> Result<Cow<'_, str>, BadPairs> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16)).ok_or(BadPairs);
                let (high, low) = (digit()?, digit()?);
                out.push(u8::try_from(high * 16 + low).map_err(|_| BadPairs)?);
            }
            b => out.push(b),
        }
    }
    let text = String::from_utf8(out).map_err(|_| BadPairs)?;
    if text.contains('\0') { Err(BadPairs) } else { Ok(Cow::Owned(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_exactly_or_not_at_all() {
        let read = |text| pairs(text).map(|p| p.into_iter().map(|(n, v)| format!("{n}>{v}")).collect::<Vec<_>>());
        assert_eq!(read("a=1&a=%C3%A9+b&c").unwrap(), ["a>1", "a>é b", "c>"]);
        assert_eq!(read("").unwrap(), Vec::<String>::new());
        for bad in ["a=%ff", "a=%zz", "a=%2", "a=%00", "=1", "a=1&&b=2"] {
            assert_eq!(read(bad), Err(BadPairs), "{bad}");
        }
    }
}
