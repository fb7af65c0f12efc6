//! The people that a run makes up.

use mustdo_plugin::Generator;
use mustdo_plugin::service::Placeholders;

use crate::form::{Field, Kind};

/// One made-up person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) password: String,
}

impl Account {
    /// A person that nobody has met: a name of twelve letters and digits, which no page shows by chance, and a password
    /// with a letter of each case, a digit and a sign.
    pub(crate) fn fresh(generator: &mut Generator) -> Self {
        Self::named(&generator.token(12), generator)
    }

    /// A person of a given name; the address of mail is always a plain one.
    pub(crate) fn named(name: &str, generator: &mut Generator) -> Self {
        let mailbox = generator.token(12);
        Self {
            name: name.to_owned(),
            email: format!("{mailbox}@example.com"),
            password: format!("{}-Q7", generator.token(14)),
        }
    }

    /// The same person with another password.
    pub(crate) fn with_password(&self, password: impl Into<String>) -> Self {
        Self { password: password.into(), ..self.clone() }
    }

    /// What belongs into a field; none for one that is not about the person.
    pub(crate) fn fill(&self, field: &Field, by_email: bool) -> Option<String> {
        match field.kind {
            Kind::User if by_email => Some(self.email.clone()),
            Kind::User => Some(self.name.clone()),
            Kind::Email => Some(self.email.clone()),
            Kind::Password => Some(self.password.clone()),
            // A full name, a city: anything will do.
            Kind::Text if field.value.is_empty() => Some(self.name.clone()),
            Kind::Url if field.value.is_empty() => Some("https://example.com/".to_owned()),
            Kind::Text | Kind::Url | Kind::Number | Kind::Hidden | Kind::Fixed | Kind::File => None,
        }
    }
}

/// `{user}`, `{email}` and `{password}`; in a text that is a form, their values are encoded.
pub(crate) struct Written<'account> {
    pub(crate) account: &'account Account,
    pub(crate) form: bool,
}

impl Placeholders for Written<'_> {
    fn put(&self, text: &str) -> String {
        let Account { name, email, password } = self.account;
        let encoded = |value: &str| if self.form { crate::address::encode(value) } else { value.to_owned() };
        text.replace("{user}", &encoded(name))
            .replace("{email}", &encoded(email))
            .replace("{password}", &encoded(password))
    }
}
