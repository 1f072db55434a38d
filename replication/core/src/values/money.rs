//! Money: an amount in minor units with its currency, written as one value.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A currency code of the form of ISO 4217: three upper-case letters. Whether the
/// code is in use is for the payment provider to say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A text that is no currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three upper-case letters, as in `EUR` (ISO 4217)")]
pub struct CurrencyError;

impl Currency {
    /// `XXX`: the code of ISO 4217 for "no currency".
    pub(crate) const NONE: Self = Self(*b"XXX");

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("three ASCII letters, checked when it was made")
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(CurrencyError),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Currency({self})")
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount of money. In a document it is one register, so that the amount of one
/// writer never meets the currency of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: cents for EUR, yen for JPY.
    pub amount: u64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// The value of its register: `12900 EUR`.
    pub(crate) fn to_register(self) -> String {
        format!("{} {}", self.amount, self.currency)
    }

    pub(crate) fn from_register(text: &str) -> Option<Self> {
        let (amount, currency) = text.split_once(' ')?;
        Some(Self {
            amount: amount.parse().ok()?,
            currency: currency.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Currency, CurrencyError, Money};

    #[test]
    fn money_reads_back_from_its_register() {
        let money = Money {
            amount: 12_900,
            currency: "EUR".parse().expect("a currency"),
        };
        assert_eq!(money.to_register(), "12900 EUR");
        assert_eq!(Money::from_register("12900 EUR"), Some(money));
        assert_eq!(Money::from_register("12900"), None);
        assert_eq!(Money::from_register("x EUR"), None);
    }

    #[test]
    fn currency_is_three_upper_case_letters() {
        for wrong in ["eur", "EU", "EURO", "E R", "ÄÖ"] {
            assert_eq!(wrong.parse::<Currency>(), Err(CurrencyError), "{wrong}");
        }
    }
}
