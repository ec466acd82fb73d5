//! `init`: a config to begin with. Never overwrites one.

use crate::cli::{ExitCode, Failure};
use crate::config::TEMPLATE;
use crate::domain::code::Code;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

pub(super) fn init(config: &Path) -> Result<ExitCode, Failure> {
    let place = config.display();
    let mut file = OpenOptions::new().write(true).create_new(true).open(config).map_err(|error| {
        let failure = match error.kind() {
            ErrorKind::AlreadyExists => {
                Failure::usage(Code::FileNamed, "the file exists already and is left as it is")
                    .with_way_out("edit it, or name another with --config FILE")
            }
            _ => Failure::failed(Code::FileNamed, format!("the file cannot be made: {error}"))
                .with_way_out("name a file in a folder that exists and that this user may write to"),
        };
        failure.at(place.to_string())
    })?;
    file.write_all(TEMPLATE.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
        Failure::failed(Code::FileNamed, format!("the file cannot be written: {error}")).at(place.to_string())
    })?;
    eprintln!(
        "wrote {place}\n\nnext:\n  \
         1. set HUBSPOT_PRIVATE_TOKEN and MAILCHIMP_API_KEY in the environment\n  \
         2. put in the audience, your lists and tags ([[group]], [[handover]])\n  \
         3. hsmc check      looks at the config and both accounts, changes nothing\n  \
         4. hsmc plan       shows what a run would do\n  \
         5. set apply = \"ask\" or \"always\", then: hsmc daemon"
    );
    Ok(ExitCode::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_that_exists_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hsmc.toml");
        assert_eq!(init(&file).unwrap(), ExitCode::Done);
        std::fs::write(&file, "mine").unwrap();
        let failure = init(&file).unwrap_err();
        assert_eq!(failure.exit, ExitCode::Usage);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }
}
