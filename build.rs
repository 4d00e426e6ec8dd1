//! Tells cargo that the embedded migrations are inputs of the build.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
