//! Which path is whose, and what may be done there.

use super::flaw::Flaw;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Route {
    Front,
    Items,
    Item(u64),
    /// `GET /deleteItem?id=`, of the service that has it.
    DeleteItem,
    /// Takes any upload.
    Notes,
    Users,
    Me,
    User(i64),
    File(String),
    Tag(String),
    Price(f64),
    Shop(String),
    List,
    /// The same without its slash.
    ListBare,
    Slow,
    Broken,
    Big,
    Limited,
    Counter,
    Console,
}

impl Route {
    pub(super) fn of(path: &str, flaw: Option<Flaw>) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let by_hand = flaw == Some(Flaw::IntByHand);
        Some(match parts[..] {
            [""] => Self::Front,
            ["items"] => Self::Items,
            ["items", id] => Self::Item(digits(id)?),
            ["deleteItem"] if flaw == Some(Flaw::GetDeletes) => Self::DeleteItem,
            ["notes"] => Self::Notes,
            ["users"] => Self::Users,
            ["users", "me"] => Self::Me,
            ["users", id] if by_hand => Self::User(leading_number(id)?),
            ["users", id] => Self::User(i64::try_from(digits(id)?).ok()?),
            ["files", _, ..] if !parts.iter().any(|part| part.is_empty()) => Self::File(parts[1..].join("/")),
            ["tags", "new"] if flaw != Some(Flaw::Shadowed) => {
                Self::Tag("(the form for a new one)".to_owned())
            }
            ["tags", name] if !name.is_empty() => Self::Tag(name.to_owned()),
            ["prices", price] => Self::Price(decimal(price)?),
            ["shops", shop] if is_uuid(shop) => Self::Shop(shop.to_owned()),
            ["list", ""] => Self::List,
            ["list"] => Self::ListBare,
            ["slow"] => Self::Slow,
            ["broken"] => Self::Broken,
            ["big"] => Self::Big,
            ["limited"] => Self::Limited,
            ["counter"] => Self::Counter,
            ["console"] if flaw == Some(Flaw::Debugger) => Self::Console,
            _ => return None,
        })
    }

    /// What may be done there, beside HEAD where there is GET, and OPTIONS.
    pub(super) fn methods(&self, flaw: Option<Flaw>) -> &'static [&'static str] {
        match self {
            Self::Items | Self::Tag(_) | Self::List | Self::ListBare => &["GET", "POST"],
            Self::Item(_) if flaw == Some(Flaw::GetDeletes) => &["GET", "PUT", "PATCH"],
            Self::Item(_) => &["GET", "PUT", "PATCH", "DELETE"],
            Self::Notes => &["POST"],
            Self::Front
            | Self::DeleteItem
            | Self::Users
            | Self::Me
            | Self::User(_)
            | Self::File(_)
            | Self::Price(_)
            | Self::Shop(_)
            | Self::Slow
            | Self::Broken
            | Self::Big
            | Self::Limited
            | Self::Counter
            | Self::Console => &["GET"],
        }
    }
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The sign and the digits that a text begins with.
fn leading_number(text: &str) -> Option<i64> {
    let end = text.char_indices().find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-')));
    text[..end.map_or(text.len(), |(at, _)| at)].parse().ok()
}

fn decimal(text: &str) -> Option<f64> {
    let (whole, rest) = text.split_once('.')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(rest)).then(|| text.parse().ok())?
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
