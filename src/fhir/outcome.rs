//! OperationOutcome, the body of every refusal (FH-07).

use super::issue::{Code, Issue, Severity};
use crate::json::quote;

/// The OperationOutcome that lists `issues`.
#[must_use]
pub fn of_issues(issues: &[Issue]) -> String {
    let mut out = String::from(r#"{"resourceType":"OperationOutcome","issue":["#);
    for (i, issue) in issues.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(&mut out, issue.severity, issue.code, issue.reason, &issue.expression);
    }
    out.push_str("]}");
    out
}

/// The OperationOutcome of a single error; `text` must not hold what the reader may not see.
#[must_use]
pub fn of_one(code: Code, text: &str) -> String {
    let mut out = String::from(r#"{"resourceType":"OperationOutcome","issue":["#);
    write(&mut out, Severity::Error, code, text, "");
    out.push_str("]}");
    out
}

/// The OperationOutcome of a single warning, for an answer that is given all the same.
#[must_use]
pub fn warning(code: Code, text: &str) -> String {
    let mut out = String::from(r#"{"resourceType":"OperationOutcome","issue":["#);
    write(&mut out, Severity::Warning, code, text, "");
    out.push_str("]}");
    out
}

fn write(out: &mut String, severity: Severity, code: Code, text: &str, expression: &str) {
    out.push_str(r#"{"severity":""#);
    out.push_str(severity.code());
    out.push_str(r#"","code":""#);
    out.push_str(code.code());
    out.push_str(r#"","details":{"text":"#);
    quote(text, out);
    out.push('}');
    if !expression.is_empty() {
        out.push_str(r#","expression":["#);
        quote(expression, out);
        out.push(']');
    }
    out.push('}');
}
