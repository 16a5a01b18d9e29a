//! What hostile charts can cost: each attack ends soon, by a limit that names itself or by an error.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::Write;

use gotemplate::{LimitExceeded, Limits, NoWorld};
use windlass_helm::{
    CompiledChart, HelmVersion, LoadError, LoadLimits, LoadOptions, Release, RenderError, RenderRequest,
    load_archive, load_folder,
};
use windlass_model::MemoryTree;

const CHART: &str = "apiVersion: v2\nname: c\nversion: 0.1.0\n";

/// Small limits, so that an attack ends in a moment even in a build without optimization.
const LIMITS: Limits = Limits { depth: 2_000, steps: 200_000, output: 1 << 20, memory: 8 << 20 };

fn render(files: &[(&str, &str)]) -> Result<String, RenderError> {
    let mut all = vec![("c/Chart.yaml", CHART)];
    all.extend(files);
    let tree = MemoryTree::new(all);
    let helm = HelmVersion::V4;
    let loaded = load_folder(&tree, "c", &LoadOptions::of(helm)).unwrap();
    let release = Release::install("rel", "default").unwrap();
    let request =
        RenderRequest { limits: LIMITS, ..RenderRequest::new(release, gotemplate::Map::new(), helm) };
    let rendered = CompiledChart::new(loaded.chart, helm).render(&request, &mut NoWorld::default())?;
    Ok(rendered.manifests.into_iter().map(|manifest| manifest.text).collect())
}

fn limit(template: &str) -> Option<LimitExceeded> {
    match render(&[("c/templates/a.yaml", template)]) {
        Err(RenderError::Template(error)) => error.limit,
        Err(error) => panic!("{template}: {error}"),
        Ok(_) => None,
    }
}

#[test]
fn templates_end_at_a_limit() {
    let attacks = [
        "{{ range until 1000000000 }}x{{ end }}",
        "{{ range 1000000000 }}x{{ end }}",
        "{{ repeat 1000000000 \"x\" }}",
        "{{ $s := \"x\" }}{{ range 100 }}{{ $s = cat $s $s $s $s }}{{ end }}{{ $s }}",
        "{{ $l := list 1 }}{{ range 100 }}{{ $l = concat $l $l }}{{ end }}",
        "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        "{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}",
        "{{ range 100000 }}{{ repeat 1000 \"long\" }}{{ end }}",
    ];
    for attack in attacks {
        assert!(limit(attack).is_some(), "{attack}");
    }
}

#[test]
fn recursion_through_functions_ends() {
    let includes = "{{ define \"n\" }}{{ include \"n\" . }}{{ end }}{{ include \"n\" . }}";
    let error = render(&[("c/templates/a.yaml", includes)]).unwrap_err().to_string();
    assert!(error.contains("rendering template has a nested reference name: n"), "{error}");
    let texts = ("c/values.yaml", "t: '{{ tpl .Values.t . }}'\n");
    let error = render(&[texts, ("c/templates/a.yaml", "{{ tpl .Values.t . }}")]).unwrap_err();
    let RenderError::Template(error) = error else { panic!("{error}") };
    assert!(error.limit.is_some(), "{}", &error.text[..200]);
}

#[test]
fn aliases_cannot_explode() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let names = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{names}]\n"));
    }
    let tree = MemoryTree::new([("c/Chart.yaml", CHART), ("c/values.yaml", &bomb)]);
    let error = load_folder(&tree, "c", &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("cannot load values.yaml"), "{error}");
    assert!(error.contains("excessive aliasing"), "{error}");
}

#[test]
fn files_end_at_the_chart() {
    let template = "a: {{ .Files.Get \"../secret\" | quote }} #{{ .Files.Get \"/etc/passwd\" | quote }}\n";
    let text = render(&[("c/templates/a.yaml", template), ("secret", "s")]).unwrap();
    assert_eq!(text, "a: \"\" #\"\"\n");
}

/// A packaged chart of these files.
fn packaged(files: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best()));
    for (path, kind, data) in files {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        if kind.is_symlink() {
            header.set_link_name("../../secret").unwrap();
        }
        header.set_cksum();
        archive.append(&header, *data).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn archives_are_read_within_limits() {
    use tar::EntryType::{Regular, Symlink};
    let chart = ("c/Chart.yaml", Regular, CHART.as_bytes());
    let small = LoadLimits { chart_bytes: 1 << 20, files: 20, depth: 3, ..LoadLimits::default() };
    let load = |files: &[(&str, tar::EntryType, &[u8])]| {
        load_archive(&packaged(files), &LoadOptions { limits: small, ..LoadOptions::default() })
    };
    assert!(load(&[chart]).is_ok());
    let zeros = vec![0; 2 << 20];
    assert!(matches!(load(&[chart, ("c/big", Regular, &zeros)]), Err(LoadError::ChartTooLarge(_))));
    let many: Vec<_> = std::iter::repeat_n(chart, 30).collect();
    assert!(matches!(load(&many), Err(LoadError::TooManyFiles(20))));
    let escape = load(&[chart, ("c/../../x", Regular, b"x")]).unwrap_err().to_string();
    assert_eq!(escape, "chart illegally references parent directory");
    let link = load(&[chart, ("c/link", Symlink, b"")]).unwrap_err().to_string();
    assert_eq!(link, "chart illegally contains \"c/link\", which is not a regular file");
    // An archive in an archive in an archive…
    let mut inner = packaged(&[chart]);
    for _ in 0..5 {
        inner = packaged(&[chart, ("c/charts/c.tgz", Regular, &inner)]);
    }
    let error = load_archive(&inner, &LoadOptions { limits: small, ..LoadOptions::default() }).unwrap_err();
    assert!(matches!(error, LoadError::TooDeep(3)), "{error}");
}

#[test]
fn what_is_no_archive_is_refused() {
    let mut cut = packaged(&[("c/Chart.yaml", tar::EntryType::Regular, CHART.as_bytes())]);
    cut.truncate(cut.len() / 2);
    let mut noise = Vec::new();
    noise.write_all(&[0x1f, 0x8b, 8, 0, 1, 2, 3]).unwrap();
    for bytes in [&b""[..], b"no archive", &cut, &noise] {
        assert!(load_archive(bytes, &LoadOptions::default()).is_err());
    }
}
