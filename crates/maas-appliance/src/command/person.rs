//! Who sits at the keyboard.

use maas_install::Person;

/// What `/proc/self/loginuid` says of a process that nobody has logged in for (`-1`).
const NOBODY: u32 = u32::MAX;

/// The person of the login: the kernel keeps it across `sudo` and `su` where PAM sets it (`pam_loginuid(8)`).
/// Else who `sudo` says has called, else the user that this process is.
#[expect(
    clippy::disallowed_methods,
    reason = "the binary is where the environment is read"
)]
pub(super) fn at_the_keyboard() -> Person {
    let login = fs_err::read_to_string("/proc/self/loginuid").ok();
    let login = login.and_then(|text| text.trim().parse().ok());
    let sudo = || std::env::var("SUDO_UID").ok()?.parse().ok();
    let own = || rustix::process::getuid().as_raw();
    let uid = login
        .filter(|uid| *uid != NOBODY)
        .or_else(sudo)
        .unwrap_or_else(own);
    let passwd = fs_err::read_to_string("/etc/passwd").unwrap_or_default();
    Person {
        uid,
        name: name(&passwd, uid).unwrap_or_else(|| format!("uid {uid}")),
    }
}

/// The name of a user in `/etc/passwd`.
fn name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then(|| name.escape_debug().to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbroken\nana:x:1000:1000:Ana:/home/ana:/bin/bash\n";
        assert_eq!(name(passwd, 1000), Some("ana".to_owned()));
        assert_eq!(name(passwd, 1), None);
    }
}
