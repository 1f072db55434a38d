//! One set of certificates: what is in force of it, and why what the files hold is not. Pure but
//! for what it is given to do.

use meridian_transport::Certified;

use super::Standing;

/// See the module.
pub(super) struct Kept<T> {
    in_force: T,
    changes: u64,
    since_ms: u64,
    refused: Option<String>,
}

impl<T: PartialEq> Kept<T> {
    pub(super) const fn new(in_force: T, now_ms: u64) -> Self {
        Self {
            in_force,
            changes: 0,
            since_ms: now_ms,
            refused: None,
        }
    }

    /// Puts what has been read into force by `take`, if it is other than what is. Whatever goes
    /// wrong, the set before stays; each reason is told once.
    pub(super) fn look(
        &mut self,
        section: &'static str,
        now_ms: u64,
        read: anyhow::Result<T>,
        take: impl FnOnce(&T) -> anyhow::Result<()>,
    ) {
        let taken = read.and_then(|read| {
            if read == self.in_force {
                return Ok(None);
            }
            take(&read).map(|()| Some(read))
        });
        match taken {
            Ok(None) => self.refused = None,
            Ok(Some(next)) => {
                self.in_force = next;
                self.changes += 1;
                self.since_ms = now_ms;
                self.refused = None;
                tracing::info!(
                    section,
                    change = self.changes,
                    "new certificates are in force"
                );
            }
            Err(cause) => {
                let cause = format!("{cause:#}");
                if self.refused.as_ref() != Some(&cause) {
                    tracing::error!(
                        section,
                        cause,
                        "certificates cannot be used: those before stay in force"
                    );
                }
                self.refused = Some(cause);
            }
        }
    }

    pub(super) fn standing(
        &self,
        certificates: impl FnOnce(&T) -> Vec<(&'static str, Certified)>,
    ) -> Standing {
        Standing {
            certificates: certificates(&self.in_force),
            changes: self.changes,
            since_ms: self.since_ms,
            refused: self.refused.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::Kept;

    #[test]
    fn what_cannot_be_used_leaves_what_was_and_is_tried_again() {
        let mut kept = Kept::new("old", 1);
        let takes = |_: &&str| Ok(());
        kept.look("tls", 2, Ok("old"), |_| bail!("nothing is new"));
        assert_eq!((kept.changes, kept.refused.as_deref()), (0, None));
        kept.look("tls", 3, Ok("new"), |_| bail!("another's key"));
        assert_eq!((kept.in_force, kept.changes, kept.since_ms), ("old", 0, 1));
        assert_eq!(kept.refused.as_deref(), Some("another's key"));
        kept.look("tls", 4, Err(anyhow::anyhow!("unreadable")), takes);
        assert_eq!(kept.refused.as_deref(), Some("unreadable"));
        kept.look("tls", 5, Ok("new"), takes);
        assert_eq!((kept.in_force, kept.changes, kept.since_ms), ("new", 1, 5));
        assert_eq!(kept.refused, None);
    }
}
