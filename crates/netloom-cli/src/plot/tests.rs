use std::path::Path;

use super::*;

fn args(file: &Path) -> PlotArgs {
    PlotArgs {
        file: file.to_owned(),
        output: None,
        number: 1,
        list: false,
    }
}

#[test]
fn errors_name_the_file_and_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pcapng");
    let error = args(&missing).run().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("missing.pcapng: there is no such file")
    );
    assert_eq!(error.exit_code(), NO_CAPTURE);
    let letter = folder.path().join("letter.txt");
    fs::write(&letter, "dear reader, this is no capture").unwrap();
    let error = args(&letter).run().unwrap_err();
    assert_eq!(error.exit_code(), NO_CAPTURE);
    assert!(!folder.path().join("letter.svg").exists());
}
