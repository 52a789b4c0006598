//! The device nodes that an engine may open.

use camino::Utf8Path;
use maas_types::{GpuInventory, GpuUuid};

/// Nodes that every user of CUDA needs, whichever its GPU: the driver's control, unified memory, and mode
/// setting, which the driver opens where it is there (`field/supervisor.md` 7).
const SHARED: [&str; 4] = [
    "/dev/nvidiactl",
    "/dev/nvidia-uvm",
    "/dev/nvidia-uvm-tools",
    "/dev/nvidia-modeset",
];

/// The values of `DeviceAllow=` for these GPUs: none without a GPU, so that an engine on the CPU sees no
/// card at all. `Err` names a GPU whose node nobody knows: its engine would start and find nothing.
pub(super) fn allowed(
    gpus: &[GpuUuid],
    inventory: Option<&GpuInventory>,
    minor: impl Fn(&str) -> Option<u32>,
) -> Result<Vec<String>, GpuUuid> {
    if gpus.is_empty() {
        return Ok(Vec::new());
    }
    let mut nodes = SHARED.map(str::to_owned).to_vec();
    for uuid in gpus {
        let known = inventory.and_then(|all| all.gpus.iter().find(|gpu| gpu.uuid == *uuid));
        let minor = known.and_then(|gpu| minor(&gpu.pci_bus_id));
        let minor = minor.ok_or_else(|| uuid.clone())?;
        nodes.push(format!("/dev/nvidia{minor}"));
    }
    Ok(nodes.into_iter().map(|node| format!("{node} rw")).collect())
}

/// The minor number of the GPU at a PCI address, as the driver tells it below `proc`
/// (`/proc/driver/nvidia`). NVML writes the domain with eight digits, the driver's folders with four.
pub(super) fn minor(proc: &Utf8Path, pci_bus_id: &str) -> Option<u32> {
    let (domain, rest) = pci_bus_id.split_once(':')?;
    let domain = u32::from_str_radix(domain, 16).ok()?;
    let mut bytes = rest.bytes();
    if !bytes.all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')) {
        return None;
    }
    let folder = format!("{domain:04x}:{}", rest.to_ascii_lowercase());
    let text = fs_err::read_to_string(proc.join("gpus").join(folder).join("information")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Device Minor"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_gets_the_nodes_of_its_gpus_and_of_no_other() {
        let gpu = |index: u32| {
            serde_json::json!({"index": index, "uuid": format!("GPU-{index}"), "name": "H100",
                "pci_bus_id": format!("0000000{index}:18:00.0"), "memory_total": 1, "memory_used": 0,
                "utilization_percent": null, "temperature_celsius": null, "power_milliwatts": null,
                "ecc": null, "processes": [], "xids": [], "unreadable": []})
        };
        let inventory: GpuInventory = serde_json::from_value(serde_json::json!({
            "schema": GpuInventory::SCHEMA, "written": "2026-11-22T12:00:00Z", "answered": null,
            "nvml": {"state": "answering"}, "driver": null, "cuda": null, "gpus": [gpu(0), gpu(1)]}))
        .unwrap();
        let minor = |bus: &str| bus.starts_with("00000001").then_some(7);
        let of = |uuids: &[&str]| {
            let uuids: Vec<_> = uuids.iter().map(|uuid| uuid.parse().unwrap()).collect();
            allowed(&uuids, Some(&inventory), minor)
        };
        assert_eq!(of(&[]), Ok(Vec::new()));
        let nodes = of(&["GPU-1"]).unwrap();
        assert_eq!(nodes.last().unwrap(), "/dev/nvidia7 rw");
        assert_eq!(nodes.len(), SHARED.len() + 1);
        for unknown in ["GPU-0", "GPU-9"] {
            assert_eq!(of(&[unknown]).unwrap_err().as_ref(), unknown);
        }
    }

    #[test]
    fn the_minor_number_is_the_drivers() {
        let folder = tempfile::tempdir().unwrap();
        let proc = Utf8Path::from_path(folder.path()).unwrap();
        let gpu = proc.join("gpus/0000:c1:00.0");
        fs_err::create_dir_all(&gpu).unwrap();
        let text = "Model: \t NVIDIA H100\nBus Location: \t 0000:c1:00.0\nDevice Minor: \t 3\n";
        fs_err::write(gpu.join("information"), text).unwrap();
        assert_eq!(minor(proc, "00000000:C1:00.0"), Some(3));
        assert_eq!(minor(proc, "00000000:C2:00.0"), None);
        assert_eq!(minor(proc, "00000000:../../../etc"), None);
    }
}
