//! How a command fails: an exit code, the whole chain of causes, and what to type next.

use std::{error::Error, fmt::Write as _};

use maas_types::Exit;

use crate::hints::Hint;

/// A failed command. Printed once, by `main`.
#[derive(Debug)]
pub(crate) struct CommandError {
    exit: Exit,
    error: Box<dyn Error + Send + Sync>,
    hints: Vec<String>,
}

/// What a command returns: the exit code of a command that did its work (`status` says 3 when it
/// found something degraded), or why it could not.
pub(crate) type CommandResult = Result<Exit, CommandError>;

impl CommandError {
    /// Fails with `exit` because of `error`.
    pub(crate) fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            exit,
            error: error.into(),
            hints: Vec::new(),
        }
    }

    /// The command line does not make sense, in a way that the parser cannot see.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message.into())
    }

    /// Adds the next thing to type or to look at.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// `Error:`, `Caused by:` and `Hint:` lines, as they are printed.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("Error: {}\n", self.error);
        let mut source = self.error.source();
        while let Some(cause) = source {
            let _ = writeln!(text, "Caused by: {cause}");
            source = cause.source();
        }
        for hint in &self.hints {
            let _ = writeln!(text, "Hint: {hint}");
        }
        text
    }
}

/// Turns an error that knows its exit code, and maybe a next step, into a [`CommandError`].
macro_rules! command_error_from {
    ($hint:path; $($error:ty),* $(,)?) => {$(
        impl From<$error> for CommandError {
            fn from(error: $error) -> Self {
                let (exit, hint) = (error.exit(), $hint(&error));
                let this = Self::new(exit, error);
                match hint {
                    Some(hint) => this.hint(hint),
                    None => this,
                }
            }
        }
    )*};
}
command_error_from!(
    Hint::hint;
    maas_bundle::BuildError,
    maas_bundle::CopyError,
    maas_bundle::MediaError,
    maas_bundle::SignError,
    maas_bundle::TrustError,
    maas_gateway::admin::ClientError,
    maas_install::InstallError,
    maas_store::StoreError,
);
command_error_from!(maas_fetch::FetchError::hint; maas_fetch::FetchError);
command_error_from!(
    no_hint;
    crate::config::ConfigError,
    maas_bundle::KeyError,
    maas_bundle::RecipeError,
    maas_bundle::RootError,
    maas_gateway::GatewayError,
    maas_install::IdentityError,
    maas_keys::KeysError,
    maas_keys::PepperError,
    maas_supervisor::SupervisorError,
);

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(said, ": {cause}");
        source = cause.source();
    }
    said
}

/// For errors whose own text says what to do.
fn no_hint<T>(_: &T) -> Option<&'static str> {
    None
}

impl From<std::io::Error> for CommandError {
    /// `fs_err` errors name their path, so they can stand alone.
    fn from(error: std::io::Error) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "an enum of the standard library that grows"
        )]
        let exit = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Exit::NotAllowed,
            std::io::ErrorKind::NotFound => Exit::NotFound,
            std::io::ErrorKind::StorageFull => Exit::NoSpace,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the stick")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_prints_what_why_and_what_to_type() {
        let cause = std::io::Error::other("I/O error");
        let error = CommandError::new(Exit::Medium, Outer(cause)).hint("try another port");
        insta::assert_snapshot!(error.render(), @r"
        Error: cannot read the stick
        Caused by: I/O error
        Hint: try another port
        ");
    }
}
