use std::collections::BTreeMap;

use mapper_artifacts::HOSTILE;

use super::{Bundle, BundleError, Manifest, SigningKey, archive, read_folder};
use crate::digest::Sha256;
use crate::limits::BundleLimits;

fn mapper() -> Vec<u8> {
    mapper_artifacts::component(HOSTILE).unwrap().clone()
}

fn files() -> BTreeMap<String, Vec<u8>> {
    [("openapi.yaml", "openapi: 3.1.0\n"), ("examples/one.json", "{}"), ("examples/two.json", "[]")]
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .into()
}

fn bundle() -> Bundle {
    Bundle::pack("library", "1.2.0", files(), mapper(), &BundleLimits::default()).unwrap()
}

fn open(bytes: &[u8]) -> Result<Bundle, BundleError> {
    Bundle::open(bytes, &BundleLimits::default())
}

/// A bundle whose manifest says something else than what is in it, and is otherwise as it should be.
fn forged(change: impl FnOnce(&mut Manifest)) -> Result<Bundle, BundleError> {
    let Bundle { mut manifest, signatures, files, mapper, .. } = bundle();
    change(&mut manifest);
    open(&Bundle::new(manifest, signatures, files.by_name, mapper).to_bytes())
}

#[test]
fn what_is_packed_is_opened_again_and_the_same_input_gives_the_same_bytes() {
    let packed = bundle();
    assert_eq!(packed.to_bytes(), bundle().to_bytes());
    assert_eq!(open(&packed.to_bytes()).unwrap(), packed);
    assert_eq!(packed.manifest().contract.split('.').next(), Some("1"));
    assert_eq!(packed.id(), Sha256::of(&packed.manifest().to_bytes()));
}

#[test]
fn a_folder_is_packed_with_all_that_is_in_it_but_what_is_hidden() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["openapi.yaml", "examples/one.json", "examples/two.json", ".git/config", "examples/.two.json.swp"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, files().get(name).cloned().unwrap_or_default()).unwrap();
    }
    assert_eq!(read_folder(folder.path(), &BundleLimits::default()).unwrap(), files());
    assert!(read_folder(folder.path(), &BundleLimits { files_max: 2, ..BundleLimits::default() }).is_err());
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.yaml")).unwrap();
    let error = read_folder(folder.path(), &BundleLimits::default()).unwrap_err();
    assert!(error.to_string().contains("link.yaml"), "{error}");
}

#[test]
fn a_file_that_is_cut_off_or_goes_on_is_refused() {
    let bytes = bundle().to_bytes();
    for length in [0, 1, 4, bytes.len() / 2, bytes.len() - 1] {
        assert!(matches!(open(&bytes[..length]), Err(BundleError::Damaged(_))), "{length}");
    }
    let more = [bytes.as_slice(), b"!"].concat();
    assert!(matches!(open(&more), Err(BundleError::Foreign(_))));
    let twice = [bytes.as_slice(), bytes.as_slice()].concat();
    assert!(matches!(open(&twice), Err(BundleError::Foreign(_))));
}

#[test]
fn an_archive_of_another_program_is_refused() {
    let unpacked = archive::pack(&bundle());
    let mut later = unpacked.clone();
    later[136..147].copy_from_slice(b"00000000001"); // a time
    assert!(matches!(open(&archive::compress(&later)), Err(BundleError::Damaged(_) | BundleError::Foreign(_))));
    let longer = [unpacked.as_slice(), &[0; 512]].concat();
    assert!(matches!(open(&archive::compress(&longer)), Err(BundleError::Foreign(_))));
    let shorter = &unpacked[..unpacked.len() - 512];
    assert!(matches!(open(&archive::compress(shorter)), Err(BundleError::Foreign(_))));
    assert!(matches!(open(&archive::compress(b"")), Err(BundleError::Foreign(_))));
}

#[test]
fn every_digest_is_looked_at_and_all_that_is_wrong_is_told() {
    let error = forged(|manifest| {
        manifest.mapper = Sha256::of(b"another");
        manifest.contract = "7.0.0".to_owned();
        manifest.files.insert("openapi.yaml".to_owned(), Sha256::of(b"another"));
        manifest.files.insert("gone.yaml".to_owned(), Sha256::of(b""));
        manifest.files.remove("examples/one.json");
    });
    let Err(BundleError::Digests(wrong)) = error else { panic!("{error:?}") };
    assert_eq!(wrong.len(), 5, "{wrong:?}");
    assert!(matches!(forged(|manifest| manifest.format = 2), Err(BundleError::Format { found: 2 })));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let long = "a/".repeat(60);
    for name in ["../openapi.yaml", "/etc/passwd", "a//b", "a/./b", "", "a\\b", "ä", "a/", long.as_str()] {
        let files = [(name.to_owned(), Vec::new())].into();
        let packed = Bundle::pack("library", "1", files, mapper(), &BundleLimits::default());
        assert!(matches!(packed, Err(BundleError::Foreign(_))), "{name}");
    }
}

#[test]
fn what_is_too_large_is_not_unpacked() {
    let files = [("zeros".to_owned(), vec![0; 4 << 20])].into();
    let bytes = Bundle::pack("library", "1", files, mapper(), &BundleLimits::default()).unwrap().to_bytes();
    assert!(bytes.len() < 1 << 20);
    let small = BundleLimits { unpacked_bytes_max: 1 << 20, ..BundleLimits::default() };
    let names = ["bundle.unpacked_bytes_max", "bundle.bytes_max", "bundle.files_max"];
    let limits = [
        small,
        BundleLimits { bytes_max: 1 << 10, ..BundleLimits::default() },
        BundleLimits { files_max: 0, ..BundleLimits::default() },
    ];
    for (limits, name) in limits.iter().zip(names) {
        let Err(BundleError::TooLarge { limit, .. }) = Bundle::open(&bytes, limits) else { panic!("{name}") };
        assert_eq!(limit, name);
    }
}

#[test]
fn a_signature_is_of_one_bundle_and_by_one_key() {
    let (one, other) = (SigningKey::from_seed(&[1; 32]).unwrap(), SigningKey::from_seed(&[2; 32]).unwrap());
    let mut signed = bundle();
    assert!(signed.signer(&[one.public()]).unwrap_err().to_string().contains("not signed"));
    signed.sign(&one);
    signed.sign(&one);
    let read = open(&signed.to_bytes()).unwrap();
    assert_eq!((read.id(), read.signatures().len()), (bundle().id(), 1), "a signature is not part of the version");
    assert_eq!(read.signer(&[other.public(), one.public()]), Ok(one.public()));
    let error = read.signer(&[other.public()]).unwrap_err();
    assert!(error.to_string().contains(&one.public().to_string()), "{error}");

    let Bundle { manifest, mut signatures, files, mapper, .. } = read;
    signatures[0].key = other.public();
    let forged = Bundle::new(manifest, signatures, files.by_name, mapper);
    assert!(matches!(open(&forged.to_bytes()), Err(BundleError::Signature(key)) if key == other.public()));
}
