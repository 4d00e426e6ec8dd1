//! The subset of FHIRPath that R4's search parameters are written in.

/// A parsed expression; the texts are those of the committed definitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Expr {
    /// The type an expression begins with; empty when it begins with an element of the type it is for.
    Root(&'static str),
    Member(Box<Self>, &'static str),
    /// `.where(name = 'value')`
    Where(Box<Self>, &'static str, &'static str),
    /// `.where(resolve() is Type)`
    Resolves(Box<Self>, &'static str),
    As(Box<Self>, &'static str),
    Index(Box<Self>, usize),
    Union(Vec<Self>),
    Exists(Box<Self>),
    And(Box<Self>, Box<Self>),
    /// `!= true` or `!= false`
    Differs(Box<Self>, bool),
}

impl Expr {
    /// The part that speaks of `base`: branches of a union that begin with another type fall away.
    pub(super) fn for_base(&self, base: &str) -> Option<Self> {
        if let Self::Union(branches) = self {
            let mut kept: Vec<_> = branches.iter().filter_map(|b| b.for_base(base)).collect();
            return if kept.len() > 1 { Some(Self::Union(kept)) } else { kept.pop() };
        }
        self.root().is_some_and(|r| r == base || r.is_empty()).then(|| self.clone())
    }

    fn root(&self) -> Option<&'static str> {
        match self {
            Self::Root(name) => Some(name),
            Self::Member(e, _)
            | Self::Where(e, ..)
            | Self::Resolves(e, _)
            | Self::As(e, _)
            | Self::Index(e, _)
            | Self::Exists(e)
            | Self::And(e, _)
            | Self::Differs(e, _) => e.root(),
            Self::Union(_) => None,
        }
    }
}

/// Parses an expression; `None` when it uses more than the subset.
pub(super) fn parse(text: &'static str) -> Option<Expr> {
    let mut parser = Parser { rest: text };
    let expr = parser.and()?;
    parser.rest.trim().is_empty().then_some(expr)
}

struct Parser {
    rest: &'static str,
}

impl Parser {
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let after = rest.strip_prefix(token);
        self.rest = after.unwrap_or(rest);
        after.is_some()
    }

    fn word(&mut self) -> Option<&'static str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.rest = rest.get(end..)?;
        rest.get(..end).filter(|w| !w.is_empty())
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let before = self.rest;
        let taken = self.word() == Some(word);
        if !taken {
            self.rest = before;
        }
        taken
    }

    fn and(&mut self) -> Option<Expr> {
        let mut left = self.comparison()?;
        while self.takes_word("and") {
            left = Expr::And(Box::new(left), Box::new(self.comparison()?));
        }
        Some(left)
    }

    fn comparison(&mut self) -> Option<Expr> {
        let left = self.union()?;
        if !self.takes("!=") {
            return Some(left);
        }
        let literal = match self.word()? {
            "true" => true,
            "false" => false,
            _ => return None,
        };
        Some(Expr::Differs(Box::new(left), literal))
    }

    fn union(&mut self) -> Option<Expr> {
        let first = self.typed()?;
        let mut branches = vec![first];
        while self.takes("|") {
            branches.push(self.typed()?);
        }
        if branches.len() > 1 { Some(Expr::Union(branches)) } else { branches.pop() }
    }

    fn typed(&mut self) -> Option<Expr> {
        let mut expr = self.postfix()?;
        while self.takes_word("as") {
            expr = Expr::As(Box::new(expr), self.word()?);
        }
        Some(expr)
    }

    fn postfix(&mut self) -> Option<Expr> {
        let mut expr = if self.takes("(") {
            let inner = self.and()?;
            if !self.takes(")") {
                return None;
            }
            inner
        } else {
            let word = self.word()?;
            if word.starts_with(|c: char| c.is_ascii_lowercase()) {
                Expr::Member(Box::new(Expr::Root("")), word)
            } else {
                Expr::Root(word)
            }
        };
        loop {
            if self.takes("[") {
                expr = Expr::Index(Box::new(expr), self.word()?.parse().ok()?);
                if !self.takes("]") {
                    return None;
                }
            } else if self.takes(".") {
                let name = self.word()?;
                expr = if self.takes("(") { self.call(expr, name)? } else { Expr::Member(Box::new(expr), name) };
            } else {
                return Some(expr);
            }
        }
    }

    fn call(&mut self, on: Expr, name: &str) -> Option<Expr> {
        let on = Box::new(on);
        let expr = match name {
            "exists" => Expr::Exists(on),
            "as" => Expr::As(on, self.word()?),
            "where" => {
                let word = self.word()?;
                if word == "resolve" {
                    if !(self.takes("(") && self.takes(")") && self.takes_word("is")) {
                        return None;
                    }
                    Expr::Resolves(on, self.word()?)
                } else {
                    if !(self.takes("=") && self.takes("'")) {
                        return None;
                    }
                    let (value, rest) = self.rest.split_once('\'')?;
                    self.rest = rest;
                    Expr::Where(on, word, value)
                }
            }
            _ => return None,
        };
        self.takes(")").then_some(expr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_the_subset_does_not_parse() {
        for bad in ["", "A.b.first()", "A.where(b > 1)", "A.b |", "A.b)", "(A.b", "A.b[x]", "A.where(resolve() as B)"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn branches_of_other_types_fall_away() {
        let expr = parse("A.x | (B.y as Quantity) | A.z.where(k='v')").unwrap();
        assert_eq!(expr.for_base("B"), parse("B.y as Quantity"));
        assert_eq!(expr.for_base("A"), parse("A.x | A.z.where(k='v')"));
        assert_eq!(expr.for_base("C"), None);
    }
}
