"""The documentation is complete: every parameter, command and daemon has its page, and all pages can be shown."""
import html.parser
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import mta

pytestmark = pytest.mark.ours

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = TOP / "docs" / "man"
DECLARATION = re.compile(r"^FACTEUR_PARAMETER\(\s*\w+\s*,\s*(?:n(?=\d))?(\w+)", re.MULTILINE)
OTHER_NAMES = {"mailq.1", "newaliases.1", "lmtp.8", "defer.8", "trace.8"}


def declared_names():
    files = (TOP / "src/config/params").glob("*.def")
    return sorted(name for file in files for name in DECLARATION.findall(file.read_text(encoding="utf-8")))


def generate(output, source=TOP):
    return subprocess.run([sys.executable, TOP / "scripts/generate-docs", output, source], stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    output = tmp_path_factory.mktemp("docs")
    run = generate(output)
    assert run.returncode == 0, run.stderr
    return output


def source_with(folder, declarations):
    """A source tree with one family of parameters."""
    shutil.copytree(TOP / "docs/reference", folder / "docs/reference")
    (folder / "src/config/params").mkdir(parents=True)
    (folder / "src/config/params/a.def").write_text(declarations, encoding="utf-8")
    return folder


class Anchors(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.links, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            elif name == "href" and value.startswith("#"):
                self.links.append(value[1:])
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> in {self.open}"
        self.open.pop()


def test_manual_page_has_every_parameter(generated):
    page = (generated / "man/man5/postconf.5").read_text(encoding="utf-8")
    entries = re.findall(r"^\.TP\n\\fB(.*?)\\fP \(default: ", page, re.MULTILINE)
    assert [entry.replace("\\:", "") for entry in entries] == declared_names()


def test_html_has_every_parameter_and_no_broken_link(generated):
    page = Anchors()
    page.feed((generated / "html/postconf.5.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert set(declared_names()) <= set(page.ids)
    assert set(page.links) <= set(page.ids)


def test_fields_in_any_order(tmp_path):
    source = source_with(tmp_path / "source", '''// a comment with FACTEUR_PARAMETER( in it
FACTEUR_PARAMETER(Time, zz_interval, R"x(${a?{")"}}d)x", .default_unit = 'd', .at_most = 172800,
    .doc = "Two \\"words\\", " "joined. See n2_list.", .status = Status::planned, .read_by = "smtp", .since = "3.4",
    .at_least = 60)
FACTEUR_PARAMETER(String, n2_list, R"(-a 'b' <c>)", .doc = R"(.starts with a dot)")
''')
    run = generate(tmp_path / "out", source)
    assert run.returncode == 0, run.stderr
    page = (tmp_path / "out/man/man5/postconf.5").read_text(encoding="utf-8")
    assert '\\fBzz_interval\\fP (default: \\fB${a?{")"}}d\\fP)' in page
    assert 'Two "words", joined.' in page
    assert "Value: time, in days when no unit is given, at least 1m, at most 2d. Read by: smtp. Since: Postfix 3.4." in page
    assert "Not available yet" in page
    assert "\\fB2_list\\fP (default: \\fB\\-a \\(aqb\\(aq <c>\\fP)\n\\&.starts with a dot" in page
    assert "<code>-a &#x27;b&#x27; &lt;c&gt;</code>" in (tmp_path / "out/html/postconf.5.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("declarations, complaint", [
    ('FACTEUR_PARAMETER(String, a, R"()", .dok = "x")', "a.def:1: a: unknown field dok"),
    ('\nFACTEUR_PARAMETER(Text, a, R"()")', "a.def:2: a: unknown kind or status"),
    ('FACTEUR_PARAMETER(String, a, R"()"', "the file ends inside a declaration"),
    ('FACTEUR_PARAMETER(String, a, "")\nFACTEUR_PARAMETER(String, a, "")', "a is declared twice"),
    ("", "no parameters"),
])
def test_wrong_declarations_are_refused(tmp_path, declarations, complaint):
    run = generate(tmp_path / "out", source_with(tmp_path / "source", declarations))
    assert run.returncode == 1
    assert complaint in run.stderr
    assert not (tmp_path / "out").exists()


def page_names(section):
    return {file.name for file in (PAGES / f"man{section}").iterdir()}


def test_every_program_has_a_page():
    def programs(folder, section):
        return {f"{file.parent.name}.{section}" for file in (TOP / "src" / folder).glob("*/CMakeLists.txt")}
    assert programs("tools", 1) <= page_names(1)
    assert programs("daemons", 8) <= page_names(8)
    assert OTHER_NAMES <= page_names(1) | page_names(8)


def all_pages():
    return sorted(PAGES.glob("man?/*"))


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_page_holds_together(page):
    text = page.read_text(encoding="utf-8")
    other_name = re.fullmatch(r"\.so (man\d/\S+)\n", text)
    if other_name:
        assert (PAGES / other_name[1]).is_file()
        return
    name, section = page.name.rsplit(".", 1)
    assert text.startswith(f'.TH {name.upper()} {section} '.replace("-", "\\-"))
    for other in re.findall(r"\\fB([a-z\\-]+)\\fP\(([158])\)", text):
        file = "man{1}/{0}.{1}".format(other[0].replace("\\", ""), other[1])
        assert file == "man5/postconf.5" or (PAGES / file).is_file(), f"{file} does not exist"


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_page_names_parameters_that_exist(page):
    section = re.search(r"^\.SH PARAMETERS\n(.*?)(?=^\.SH)", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names = re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)+", section[1]) if section else []
    assert set(names) <= set(declared_names())


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_pages_can_be_shown(generated):
    for page in [*all_pages(), generated / "man/man5/postconf.5"]:
        run = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", page], cwd=PAGES, stderr=subprocess.PIPE, text=True)
        assert (run.returncode, run.stderr) == (0, ""), page.name


def test_installed():
    share = pathlib.Path(mta.STAGE) / "share"
    for page in [*(str(page.relative_to(PAGES)) for page in all_pages()), "man5/postconf.5"]:
        assert (share / "man" / page).is_file()
    assert (share / "doc/facteur/html/postconf.5.html").is_file()
