use super::*;

const FILE: &str = "/etc/maas-appliance/appliance.toml";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Utf8Path::new(FILE), text, "box")
}

#[test]
fn an_empty_file_means_the_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config.site.names, ["box", "localhost"]);
    assert_eq!(config.url(), "https://box:8443");
    assert_eq!(config.metrics.to_string(), "127.0.0.1:9464");
    assert_eq!(config.engines.kind, EngineKind::Vllm);
}

#[test]
fn every_mistake_is_reported_at_once_with_line_key_and_example() {
    let text = "[site]\nnames = [\"a b\"]\naddresses = [\"10.0.0\"]\ntime_zone = \"Mars/Base\"\n\
                [gateway]\nlisten = \"8443\"\n[engines]\ndevice = \"tpu\"\n[gpus]\ninterval_seconds = 0\n";
    insta::assert_snapshot!(parse(text).unwrap_err(), @r#"
    /etc/maas-appliance/appliance.toml has 6 mistake(s):
      /etc/maas-appliance/appliance.toml:2: site.names: `a b` is not a DNS name
          example: names = ["maas.site.internal"]
      /etc/maas-appliance/appliance.toml:3: site.addresses: `10.0.0` is not an IP address
          example: addresses = ["10.0.0.5"]
      /etc/maas-appliance/appliance.toml:4: site.time_zone: `Mars/Base` is not a time zone of the IANA database
          example: time_zone = "Europe/Berlin"
      /etc/maas-appliance/appliance.toml:6: gateway.listen: `8443` is not an address and a port
          example: listen = "0.0.0.0:8443"
      /etc/maas-appliance/appliance.toml:8: engines.device: `tpu` is none of `auto`, `cpu`, `gpu`
          example: device = "auto"
      /etc/maas-appliance/appliance.toml:10: gpus.interval_seconds: 0 would ask without a pause
          example: interval_seconds = 5
    "#);
}

#[test]
fn a_key_that_does_not_exist_is_a_mistake() {
    insta::assert_snapshot!(parse("[gateway]\nlissten = \"0.0.0.0:8443\"\n").unwrap_err(), @r"
    /etc/maas-appliance/appliance.toml has 1 mistake(s):
      /etc/maas-appliance/appliance.toml:2: unknown field `lissten`, expected `listen`
          example: see `maas-appliance config example`
    ");
}

#[test]
fn the_example_that_we_print_is_right_and_says_the_defaults() {
    let example = parse(EXAMPLE).unwrap();
    assert_eq!(example.engines, parse("").unwrap().engines);
    assert_eq!(example.gateway, parse("").unwrap().gateway);
}
