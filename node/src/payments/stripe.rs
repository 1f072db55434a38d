//! Whatever speaks Stripe's API: Stripe itself, or `meridian sandbox-payments`.
//!
//! A booking is one PaymentIntent with `capture_method=manual`. It is made without
//! confirmation first, because a payment that was made but not confirmed moves nothing:
//! so a void can make it, under the same `Idempotency-Key`, and cancel it, and a
//! confirmation that comes late is refused by the provider. Answers that say nothing
//! certain are `Unknown`.

#[cfg(test)]
mod fuzz;
mod reply;
mod secret;
#[cfg(test)]
mod tests;
mod wire;

use meridian_transport::{TlsError, Trust};

use super::{Charge, PaymentError, PaymentFuture, PaymentProvider, Voided};
use reply::{Intent, Refund, read};
use wire::Wire;

pub(crate) use secret::Secret;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Stripe {
    wire: Wire,
}

impl Stripe {
    /// An adapter for the API at `url`.
    ///
    /// # Errors
    /// [`TlsError`] if whom to trust cannot be read.
    pub(crate) fn new(url: &str, secret: Secret, trust: Trust<'_>) -> Result<Self, TlsError> {
        let wire = Wire::new(url, secret, trust)?;
        Ok(Self { wire })
    }

    /// Makes the booking's intent, or finds the one that was made.
    async fn create(&self, charge: &Charge) -> Result<Intent, PaymentError> {
        let form = [
            ("amount", charge.amount.to_string()),
            ("currency", charge.currency.to_lowercase()),
            ("payment_method", charge.method.clone()),
            ("payment_method_types[]", "card".to_owned()),
            ("capture_method", "manual".to_owned()),
            ("metadata[booking]", charge.key.clone()),
        ];
        self.post(
            "/v1/payment_intents",
            &form,
            &format!("{}/create", charge.key),
        )
        .await
    }

    async fn id_of(&self, charge: &Charge) -> Result<String, PaymentError> {
        if charge.authorization.is_empty() {
            Ok(self.create(charge).await?.id)
        } else {
            Ok(charge.authorization.clone())
        }
    }

    async fn intent(&self, id: &str) -> Result<Intent, PaymentError> {
        read(&self.wire.get(&format!("/v1/payment_intents/{id}")).await?)
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, String)],
        key: &str,
    ) -> Result<T, PaymentError> {
        read(&self.wire.post(path, form, key).await?)
    }

    async fn authorized(&self, charge: &Charge) -> Result<String, PaymentError> {
        let id = self.create(charge).await?.id;
        let path = format!("/v1/payment_intents/{id}/confirm");
        let key = format!("{}/confirm", charge.key);
        let confirmed = self.post::<Intent>(&path, &[], &key).await;
        let status = match confirmed {
            Ok(intent) => intent.status,
            // Confirmed before, by a provider that has forgotten the key: look.
            Err(PaymentError::Refused(why)) => match self.intent(&id).await?.status {
                status if status == "requires_capture" || status == "succeeded" => status,
                _ => return Err(PaymentError::Refused(why)),
            },
            Err(other) => return Err(other),
        };
        match status.as_str() {
            "requires_capture" | "succeeded" => Ok(id),
            "requires_payment_method" | "canceled" => Err(PaymentError::Declined {
                reason: "the payment method was refused".to_owned(),
            }),
            "requires_action" => {
                // Nobody is there to act: the guest pays again with another method.
                self.cancel(&id, charge).await?;
                Err(PaymentError::Declined {
                    reason: "the card wants its owner to confirm, which is not offered here"
                        .to_owned(),
                })
            }
            other => Err(PaymentError::Unknown(format!("it is {other}"))),
        }
    }

    async fn cancel(&self, id: &str, charge: &Charge) -> Result<Voided, PaymentError> {
        let path = format!("/v1/payment_intents/{id}/cancel");
        let key = format!("{}/cancel", charge.key);
        let why = match self.post::<Intent>(&path, &[], &key).await {
            Ok(intent) if intent.status == "canceled" => return Ok(Voided::Released),
            Ok(intent) => format!("it is {} after it was cancelled", intent.status),
            Err(PaymentError::Refused(why)) => why,
            Err(other) => return Err(other),
        };
        match self.intent(id).await?.status.as_str() {
            "canceled" => Ok(Voided::Released),
            "succeeded" => Ok(Voided::WasCaptured),
            _ => Err(PaymentError::Refused(why)),
        }
    }

    async fn captured(&self, charge: &Charge) -> Result<(), PaymentError> {
        let id = self.id_of(charge).await?;
        let path = format!("/v1/payment_intents/{id}/capture");
        let form = [("amount_to_capture", charge.amount.to_string())];
        let key = format!("{}/capture", charge.key);
        match self.post::<Intent>(&path, &form, &key).await {
            Ok(intent) if intent.status == "succeeded" => Ok(()),
            Ok(intent) => Err(PaymentError::Unknown(format!("it is {}", intent.status))),
            Err(PaymentError::Refused(why)) => match self.intent(&id).await?.status.as_str() {
                "succeeded" => Ok(()),
                _ => Err(PaymentError::Refused(why)),
            },
            Err(other) => Err(other),
        }
    }

    async fn refunded(&self, charge: &Charge) -> Result<(), PaymentError> {
        let form = [
            ("payment_intent", self.id_of(charge).await?),
            ("amount", charge.amount.to_string()),
        ];
        let key = format!("{}/refund", charge.key);
        let refund: Refund = self.post("/v1/refunds", &form, &key).await?;
        match refund.status.as_str() {
            // A pending one is the bank's business: it needs nothing more of us.
            "succeeded" | "pending" => Ok(()),
            other => Err(PaymentError::Refused(format!("the refund is {other}"))),
        }
    }
}

impl PaymentProvider for Stripe {
    fn authorize<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, String> {
        Box::pin(self.authorized(charge))
    }

    fn capture<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()> {
        Box::pin(self.captured(charge))
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, Voided> {
        Box::pin(async move {
            let id = self.id_of(charge).await?;
            self.cancel(&id, charge).await
        })
    }

    fn refund<'a>(&'a self, charge: &'a Charge) -> PaymentFuture<'a, ()> {
        Box::pin(self.refunded(charge))
    }
}
