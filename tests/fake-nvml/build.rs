//! Keeps the library loaded once it is loaded. A caller that closes NVML and opens it again would
//! otherwise meet a fake that has forgotten which events it has told; NVIDIA's driver remembers.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
