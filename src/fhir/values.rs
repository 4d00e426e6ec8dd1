//! The values by which a record can be found, in a form kept sealed beside it.

use super::parameters::Kind;
use crate::clock::Timestamp;
use crate::model::Period;

/// One value of one search parameter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SearchValue {
    /// A code or identifier; no system is empty.
    Token {
        /// Code system or identifier namespace.
        system: String,
        /// Code or value.
        code: String,
    },
    /// Text as written.
    Text(String),
    /// A stretch of time.
    Date(Period),
    /// A reference or canonical as written.
    Reference(String),
    /// The identifier of a logical reference.
    Identifier {
        /// Namespace.
        system: String,
        /// Value.
        value: String,
    },
    /// An amount.
    Quantity {
        /// The number as written.
        number: String,
        /// System of the unit.
        system: String,
        /// Code of the unit.
        code: String,
        /// The unit for readers.
        unit: String,
    },
    /// A URI.
    Uri(String),
    /// A number as written.
    Number(String),
    /// What stands beside a code for readers.
    Label(String),
    /// The values of each part of a composite, of one element.
    Composite(Vec<Vec<Self>>),
}

/// All values of a resource, by parameter.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SearchValues {
    by_code: Vec<(String, Vec<SearchValue>)>,
}

/// The bytes are not search values of a version known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not search values of a known version")]
pub struct BadValues;

/// First byte of the encoding.
const VERSION: u8 = 1;

impl SearchValues {
    /// The values of the parameter `code`.
    #[must_use]
    pub fn of(&self, code: &str) -> &[SearchValue] {
        self.by_code.iter().find(|(c, _)| c == code).map_or(&[], |(_, v)| v)
    }

    pub(super) fn push(&mut self, code: &str, values: Vec<SearchValue>) {
        if !values.is_empty() {
            self.by_code.push((code.to_owned(), values));
        }
    }

    /// Writes the values; the same values give the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        number(&mut out, self.by_code.len() as u64);
        for (code, values) in &self.by_code {
            texts(&mut out, &[code]);
            number(&mut out, values.len() as u64);
            for value in values {
                write(&mut out, value);
            }
        }
        out
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`BadValues`] for anything else; no bytes make it panic or allocate more than their own length allows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadValues> {
        let mut reader = Reader { rest: bytes };
        if reader.byte()? != VERSION {
            return Err(BadValues);
        }
        let mut all = Self::default();
        for _ in 0..reader.number()? {
            let code = reader.text()?;
            let values = reader.values()?;
            all.by_code.push((code, values));
        }
        if reader.rest.is_empty() { Ok(all) } else { Err(BadValues) }
    }
}

fn write(out: &mut Vec<u8>, value: &SearchValue) {
    let (tag, parts): (u8, &[&String]) = match value {
        SearchValue::Composite(parts) => {
            out.push(9);
            number(out, parts.len() as u64);
            for values in parts {
                number(out, values.len() as u64);
                for value in values {
                    write(out, value);
                }
            }
            return;
        }
        SearchValue::Label(text) => (8, &[text]),
        SearchValue::Token { system, code } => (0, &[system, code]),
        SearchValue::Text(text) => (1, &[text]),
        SearchValue::Date(period) => {
            out.push(2);
            out.extend(period.from.0.to_be_bytes());
            out.extend(period.to.0.to_be_bytes());
            return;
        }
        SearchValue::Reference(text) => (3, &[text]),
        SearchValue::Identifier { system, value } => (4, &[system, value]),
        SearchValue::Quantity { number, system, code, unit } => (5, &[number, system, code, unit]),
        SearchValue::Uri(text) => (6, &[text]),
        SearchValue::Number(text) => (7, &[text]),
    };
    out.push(tag);
    texts(out, parts);
}

fn texts(out: &mut Vec<u8>, parts: &[&String]) {
    for part in parts {
        number(out, part.len() as u64);
        out.extend(part.as_bytes());
    }
}

/// Seven bits a byte, the lowest first.
fn number(out: &mut Vec<u8>, mut n: u64) {
    loop {
        let low = u8::try_from(n & 0x7f).unwrap_or_default();
        n >>= 7;
        if n == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, len: usize) -> Result<&'b [u8], BadValues> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(BadValues)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, BadValues> {
        self.take(1)?.first().copied().ok_or(BadValues)
    }

    fn number(&mut self) -> Result<usize, BadValues> {
        let mut n = 0_usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            n |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(BadValues)
    }

    fn text(&mut self) -> Result<String, BadValues> {
        let len = self.number()?;
        std::str::from_utf8(self.take(len)?).map(str::to_owned).map_err(|_| BadValues)
    }

    fn moment(&mut self) -> Result<Timestamp, BadValues> {
        let bytes = self.take(8)?.try_into().map_err(|_| BadValues)?;
        Ok(Timestamp(i64::from_be_bytes(bytes)))
    }

    fn values(&mut self) -> Result<Vec<SearchValue>, BadValues> {
        let mut values = Vec::new();
        for _ in 0..self.number()? {
            let value = match self.byte()? {
                9 => SearchValue::Composite(self.parts()?),
                tag => self.value(tag)?,
            };
            values.push(value);
        }
        Ok(values)
    }

    fn parts(&mut self) -> Result<Vec<Vec<SearchValue>>, BadValues> {
        let mut parts = Vec::new();
        for _ in 0..self.number()? {
            let mut values = Vec::new();
            for _ in 0..self.number()? {
                let tag = self.byte()?;
                values.push(self.value(tag)?);
            }
            parts.push(values);
        }
        Ok(parts)
    }

    fn value(&mut self, tag: u8) -> Result<SearchValue, BadValues> {
        Ok(match tag {
            0 => SearchValue::Token { system: self.text()?, code: self.text()? },
            1 => SearchValue::Text(self.text()?),
            2 => SearchValue::Date(Period { from: self.moment()?, to: self.moment()? }),
            3 => SearchValue::Reference(self.text()?),
            4 => SearchValue::Identifier { system: self.text()?, value: self.text()? },
            5 => SearchValue::Quantity {
                number: self.text()?,
                system: self.text()?,
                code: self.text()?,
                unit: self.text()?,
            },
            6 => SearchValue::Uri(self.text()?),
            7 => SearchValue::Number(self.text()?),
            8 => SearchValue::Label(self.text()?),
            _ => return Err(BadValues),
        })
    }
}

impl SearchValue {
    /// Whether a parameter of this kind can have such a value.
    pub(super) fn fits(&self, kind: Kind) -> bool {
        let own = match self {
            Self::Token { .. } | Self::Label(_) => Kind::Token,
            Self::Composite(_) => Kind::Composite,
            Self::Text(_) => Kind::Text,
            Self::Date(_) => Kind::Date,
            Self::Reference(_) | Self::Identifier { .. } => Kind::Reference,
            Self::Quantity { .. } => Kind::Quantity,
            Self::Uri(_) => Kind::Uri,
            Self::Number(_) => Kind::Number,
        };
        own == kind
    }
}
