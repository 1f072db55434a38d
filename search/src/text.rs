//! Words: how text is taken apart, the same for listings and for who looks for them.

use std::collections::BTreeSet;

use tantivy::tokenizer::{
    AsciiFoldingFilter, LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer,
};

/// Name of our way to take text apart.
pub(crate) const ANALYZER: &str = "words";
/// Words in a query at most.
const WORDS_MAX: usize = 16;
/// Longer words are no words, in bytes.
const WORD_BYTES_MAX: usize = 64;

/// Letters and digits, in lower case and without accents.
pub(crate) fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(WORD_BYTES_MAX))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build()
}

/// What somebody looks for: words, each once, all of which a listing has to have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Words(pub(crate) BTreeSet<String>);

/// A text that says nothing to look for, or too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("1 to {WORDS_MAX} words of letters and digits")]
pub struct WordsError;

impl Words {
    /// The words of a text.
    ///
    /// # Errors
    /// [`WordsError`] for none, and for too many.
    pub fn of(text: &str) -> Result<Self, WordsError> {
        let mut words = BTreeSet::new();
        let mut analyzer = analyzer();
        let mut tokens = analyzer.token_stream(text);
        while tokens.advance() {
            words.insert(tokens.token().text.clone());
            if words.len() > WORDS_MAX {
                return Err(WordsError);
            }
        }
        if words.is_empty() {
            return Err(WordsError);
        }
        Ok(Self(words))
    }
}

#[cfg(test)]
mod tests {
    use super::{Words, WordsError};

    #[test]
    fn words_are_found_whatever_their_case_and_accents() {
        let words = Words::of("  Café, ÅPEN-plan café ").expect("words");
        assert_eq!(words, Words::of("cafe apen plan").expect("words"));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert_eq!(Words::of(" - "), Err(WordsError));
        let many: String = (0..17).map(|word| format!("w{word} ")).collect();
        assert_eq!(Words::of(&many), Err(WordsError));
    }
}
