//! The exported functions, in the order of NVIDIA's reference.

mod device;
mod event;
mod system;

/// Every exported function: what a scenario may name.
pub(crate) const FUNCTIONS: [&str; 22] = [
    "nvmlInit_v2",
    "nvmlInitWithFlags",
    "nvmlShutdown",
    "nvmlSystemGetDriverVersion",
    "nvmlSystemGetNVMLVersion",
    "nvmlSystemGetCudaDriverVersion_v2",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetHandleByUUID",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetName",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetTotalEccErrors",
    "nvmlEventSetCreate",
    "nvmlDeviceRegisterEvents",
    "nvmlEventSetWait_v2",
    "nvmlEventSetFree",
];

#[cfg(test)]
mod tests {
    use super::FUNCTIONS;

    #[test]
    fn the_list_of_functions_is_what_is_exported() {
        let sources = [
            include_str!("exports/system.rs"),
            include_str!("exports/device.rs"),
            include_str!("exports/event.rs"),
        ];
        let exported: Vec<&str> = sources
            .iter()
            .flat_map(|source| source.split("fn nvml").skip(1))
            .map(|rest| rest.split_once('(').unwrap().0)
            .collect();
        let listed: Vec<&str> = FUNCTIONS.iter().map(|name| &name["nvml".len()..]).collect();
        assert_eq!(exported, listed);
    }
}
