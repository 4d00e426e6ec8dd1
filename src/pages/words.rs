//! What is said, in both languages at once: a text that lacks one of them does not compile.

/// Declares a table of texts: `name: "français", "English";`
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($key:ident: $fr:expr, $en:expr;)* }) => {
        $(#[$doc])*
        pub(super) struct $name { $(pub(super) $key: &'static str,)* }

        impl $name {
            /// The texts in one language.
            pub(super) const fn of(language: $crate::model::Language) -> &'static Self {
                const FR: $name = $name { $($key: $fr,)* };
                const EN: $name = $name { $($key: $en,)* };
                match language {
                    $crate::model::Language::Fr => &FR,
                    $crate::model::Language::En => &EN,
                }
            }
        }

        #[cfg(test)]
        #[test]
        fn texts_are_set_as_they_should_be() {
            for (key, fr, en) in [$((stringify!($key), $fr, $en),)*] {
                super::words::set_well(key, fr, en);
            }
        }
    };
}

pub(super) use words;

/// French before its high punctuation marks has a space that does not break; apostrophes are curly in both.
#[cfg(test)]
pub(super) fn set_well(key: &str, fr: &str, en: &str) {
    for text in [fr, en] {
        assert!(!text.trim().is_empty() && !text.contains('\'') && !text.contains("  "), "{key}: {text}");
    }
    let mut before = '\u{a0}';
    for c in fr.chars() {
        let tall = matches!(c, ';' | ':' | '!' | '?' | '»');
        assert!(
            !tall || matches!(before, '\u{a0}' | '\u{202f}'),
            "{key}: no space, or one that breaks, before {c}: {fr}"
        );
        assert!(!(before == '«' && c == ' '), "{key}: {fr}");
        before = c;
    }
    assert!(!en.contains(" ?") && !en.contains(" :"), "{key}: {en}");
}
