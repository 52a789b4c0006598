//! What only Cargo knows: the target that the binary is built for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[expect(
        clippy::disallowed_methods,
        reason = "Cargo tells a build script by its environment"
    )]
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=MAAS_TARGET={target}");
}
