//! What NVIDIA's error codes (XIDs) mean, and what NVIDIA says to do first.
//!
//! Source: NVIDIA's XID catalogue, "immediate action" column, as of October 2025. Other programs
//! disagree with it on 63, 94 and 109; we follow NVIDIA. This is a table, not a policy: whether an
//! engine is restarted or a GPU set aside is the supervisor's decision.

/// Codes that ask for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XidClass {
    /// The program on the GPU did wrong or was hit; the GPU is good.
    RestartApplication,
    /// 94: a memory error that was kept to one program.
    ContainedMemoryError,
    /// For the record.
    Ignore,
    /// 45: a program was ended because of an earlier XID.
    Sympathetic,
    /// The GPU does not work again until it is reset.
    ResetGpu,
    /// 48: a memory error that could not be corrected.
    DoubleBitMemoryError,
    /// An `NVLink` between GPUs has failed.
    NvLink,
    /// 54: the card misses power.
    CheckPower,
    /// 79: the card does not answer on the PCI bus.
    RebootHost,
    /// 151: as 79, where the card is passed to a virtual machine.
    RebootVirtualMachine,
    /// 154: NVML's recovery action has changed, and tells more than any table.
    RecoveryActionChanged,
    /// 78: driver or firmware do not fit.
    UpdateSoftware,
    /// NVIDIA publishes no action for it.
    Unknown,
}

/// Sorts an XID.
pub const fn classify(xid: u64) -> XidClass {
    match xid {
        8
        | 11
        | 13
        | 25
        | 31
        | 32
        | 39..=41
        | 60
        | 68..=72
        | 75..=77
        | 80
        | 82..=86
        | 88
        | 89
        | 96..=105
        | 126..=135
        | 139 => XidClass::RestartApplication,
        94 => XidClass::ContainedMemoryError,
        14 | 37 | 38 | 43 | 44 | 63 | 66 | 67 | 92 | 93 | 106 | 107 | 121 | 137 | 141 | 152
        | 153 | 157 | 160 | 161 => XidClass::Ignore,
        45 => XidClass::Sympathetic,
        46 | 62 | 64 | 95 | 109 | 110 | 119 | 120 | 136 | 140 | 143 | 155 | 156 | 158 => {
            XidClass::ResetGpu
        }
        48 => XidClass::DoubleBitMemoryError,
        74 | 144..=150 => XidClass::NvLink,
        54 => XidClass::CheckPower,
        79 => XidClass::RebootHost,
        151 => XidClass::RebootVirtualMachine,
        154 => XidClass::RecoveryActionChanged,
        78 => XidClass::UpdateSoftware,
        _ => XidClass::Unknown,
    }
}

impl XidClass {
    /// NVIDIA's own word for the immediate action.
    pub const fn nvidia_action(self) -> &'static str {
        match self {
            Self::RestartApplication | Self::ContainedMemoryError => "RESTART_APP",
            Self::Ignore => "IGNORE",
            Self::Sympathetic => "WORKFLOW_XID_45",
            Self::ResetGpu => "RESET_GPU",
            Self::DoubleBitMemoryError => "WORKFLOW_XID_48",
            Self::NvLink => "WORKFLOW_NVLINK",
            Self::CheckPower => "CHECK_MECHANICALS",
            Self::RebootHost => "RESTART_BM",
            Self::RebootVirtualMachine => "RESTART_VM",
            Self::RecoveryActionChanged => "XID_154_EVAL",
            Self::UpdateSoftware => "UPDATE_SWFW",
            Self::Unknown => "NONE_PUBLISHED",
        }
    }

    /// What it means and what to do, for a person.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::RestartApplication => {
                "the program on this GPU failed and must be started again; the GPU itself is good"
            }
            Self::ContainedMemoryError => {
                "a memory error hit one program, which must be started again; watch for remapped rows"
            }
            Self::Ignore => "for the record only; nothing needs to be done",
            Self::Sympathetic => "a program was ended because of an earlier XID; look for that one",
            Self::ResetGpu => {
                "the GPU must be reset (nvidia-smi --gpu-reset) before anything runs on it again"
            }
            Self::DoubleBitMemoryError => {
                "a memory error could not be corrected; reset the GPU, and replace it if rows cannot be remapped"
            }
            Self::NvLink => {
                "a link between GPUs failed; models that span GPUs cannot use this one, others can"
            }
            Self::CheckPower => "the card misses power; check its cables",
            Self::RebootHost => {
                "the GPU has fallen off the bus; the host must be rebooted, other GPUs go on until then"
            }
            Self::RebootVirtualMachine => {
                "the GPU is gone; the virtual machine must be restarted, other GPUs go on until then"
            }
            Self::RecoveryActionChanged => {
                "the driver asks for a recovery action (nvidia-smi -q shows it)"
            }
            Self::UpdateSoftware => "driver and firmware do not fit each other; update them",
            Self::Unknown => "NVIDIA publishes no meaning for it; watch the GPU",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_nvidia_asks_for() {
        for (xid, class) in [
            (13, XidClass::RestartApplication),
            (31, XidClass::RestartApplication),
            (139, XidClass::RestartApplication),
            (94, XidClass::ContainedMemoryError),
            (43, XidClass::Ignore),
            (63, XidClass::Ignore),
            (45, XidClass::Sympathetic),
            (95, XidClass::ResetGpu),
            (109, XidClass::ResetGpu),
            (119, XidClass::ResetGpu),
            (48, XidClass::DoubleBitMemoryError),
            (74, XidClass::NvLink),
            (149, XidClass::NvLink),
            (54, XidClass::CheckPower),
            (79, XidClass::RebootHost),
            (151, XidClass::RebootVirtualMachine),
            (154, XidClass::RecoveryActionChanged),
            (78, XidClass::UpdateSoftware),
            (0, XidClass::Unknown),
            (173, XidClass::Unknown),
            (999, XidClass::Unknown),
            (u64::MAX, XidClass::Unknown),
        ] {
            assert_eq!(classify(xid), class, "XID {xid}");
        }
    }

    #[test]
    fn only_codes_without_a_published_action_are_unknown() {
        let unknown = (1..=161).filter(|xid| classify(*xid) == XidClass::Unknown);
        let published_none = unknown.filter(|xid| *xid >= 136);
        assert_eq!(published_none.collect::<Vec<_>>(), [138, 142, 159]);
    }
}
