//! Words for the learner, in both languages.

/// One text in English and Chinese.
///
/// The contract carries the English text in its plain fields; the Chinese one travels beside it in `extras`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: String,
    /// Chinese, simplified.
    pub zh: String,
}

impl Text {
    /// Both languages of one text.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }

    /// The same words in both languages: a name, a line of code, a figure.
    pub fn same(words: impl Into<String>) -> Self {
        let words = words.into();
        Self { en: words.clone(), zh: words }
    }
}
