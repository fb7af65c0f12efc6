//! `runtime-probe` against modules, extensions and programs in Python and C: they need python3 with its headers, and cc.

#![cfg(feature = "live-servers")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Column, Kind, Matrix, Row, Subject};

const PLUGIN: &str = "runtime-probe";

/// `tests/servers/runtime`.
fn servers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/runtime")
}

/// A program of the machine, as `tests/run` installs it.
fn installed(path: &str) -> &str {
    assert!(Path::new(path).is_file(), "{path} is not installed; tests/run does that");
    path
}

/// Modules of a folder in Debian's interpreter.
fn modules(folder: &str) -> Subject {
    Subject::default()
        .with_command("python", installed("/usr/bin/python3"), &["**"])
        .with_folder("source", servers().join(folder).to_str().unwrap())
}

/// Files of its own as the folder.
fn written(files: &[(&str, &str)]) -> Subject {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Subject::default()
        .with_command("python", installed("/usr/bin/python3"), &["**"])
        .with_folder("source", folder.path().to_str().unwrap())
        .keeping(folder)
}

mod c_extension {
    use std::process::Command;

    use super::*;

    const CHECK: &str = "c-extension";

    /// Flaws of `fast.c`: name, macro, what is different, and whether the step that sees it is a matter of the seed.
    const FLAWS: [(&str, &str, &str, bool); 11] = [
        ("leaks", "FLAW_LEAKS", "What was allocated is never freed.", false),
        (
            "leaks-on-error",
            "FLAW_LEAKS_ON_ERROR",
            "What was allocated is not freed where an item has a wrong type.",
            false,
        ),
        (
            "decref-missing",
            "FLAW_DECREF_MISSING",
            "A number that it made has no Py_DECREF on the way out where an item has a wrong type.",
            false,
        ),
        (
            "keeps-items",
            "FLAW_KEEPS_ITEMS",
            "Takes a reference of each item, and never gives it back.",
            false,
        ),
        ("unchecked", "FLAW_UNCHECKED", "Takes whatever comes for a list, and crashes.", false),
        ("wraps", "FLAW_WRAPS", "What does not fit into 64 bits wraps.", false),
        (
            "saturates",
            "FLAW_SATURATES",
            "What does not fit into 64 bits counts as the nearest that does.",
            true,
        ),
        ("sentinel", "FLAW_SENTINEL", "The largest number of 64 bits is taken for the end.", false),
        ("calls-python", "FLAW_CALLS_PYTHON", "Calls the Python function: right, and as slow.", false),
        (
            "remembers",
            "FLAW_REMEMBERS",
            "Remembers the last list by its address, and gives the same again.",
            true,
        ),
        ("shared-buffer", "FLAW_SHARED_BUFFER", "Works in a static array, without the GIL.", false),
    ];

    fn column() -> Column {
        Column::new(
            CHECK,
            json!({ "function": "fast:rising", "model": "slow:rising", "n": 600, "speedup": 3 }),
        )
    }

    fn extension(params: Value) -> Subject {
        modules("c_extension").asked_with(params)
    }

    fn flawed(flaw: &str) -> Subject {
        extension(json!({ "build": ["setup.py", "build_ext", "--inplace", format!("--define={flaw}")] }))
    }

    /// The folder with a compiled module in it, and without its source.
    fn prebuilt() -> Subject {
        let folder = tempfile::tempdir().unwrap();
        for name in ["setup.py", "slow.py", "fast.c"] {
            std::fs::copy(servers().join("c_extension").join(name), folder.path().join(name)).unwrap();
        }
        let python = || Command::new(installed("/usr/bin/python3"));
        let built = python().args(["setup.py", "build_ext", "--inplace"]).current_dir(folder.path()).output();
        assert!(built.unwrap().status.success(), "the extension is not built");
        std::fs::remove_file(folder.path().join("fast.c")).unwrap();
        std::fs::remove_dir_all(folder.path().join("build")).unwrap();
        std::fs::write(folder.path().join("setup.py"), "").unwrap();
        Subject::default()
            .with_command("python", installed("/usr/bin/python3"), &["**"])
            .with_folder("source", folder.path().to_str().unwrap())
            .keeping(folder)
    }

    fn rows() -> Vec<Row> {
        let mut rows = vec![
            Row::new("rising", "The longest rising run of whole numbers.", Kind::Good, || {
                extension(json!({}))
            }),
            Row::new("in-a-folder", "The same, in a folder of the directory.", Kind::Good, || {
                modules("").asked_with(json!({ "path": "c_extension" }))
            })
            .slow(),
            Row::new("distance", "The distance of two texts.", Kind::Good, || {
                let names = ["fast:distance", "slow:distance"];
                extension(json!({ "function": names[0], "model": names[1], "arguments": ["text", "text"] }))
            }),
            Row::new("spread", "The variance of floats, which no empty list has.", Kind::Good, || {
                let names = ["fast:spread", "slow:spread"];
                extension(json!({ "function": names[0], "model": names[1], "arguments": ["floats"] }))
            })
            .slow(),
        ];
        for (name, flaw, summary, by_chance) in FLAWS {
            let row = Row::new(name, summary, Kind::Flaw(vec![CHECK]), move || flawed(flaw)).slow();
            rows.push(match name {
                // How slow it is a busy machine can not tell.
                "calls-python" => row.depending_on_load(),
                _ if by_chance => row.depending_on_seed(),
                _ => row,
            });
        }
        rows.push(
            Row::new(
                "borrowed",
                "Returns an item of the list without a reference of its own.",
                Kind::Flaw(vec![CHECK]),
                || {
                    let build = ["setup.py", "build_ext", "--inplace", "--define=FLAW_BORROWED"];
                    extension(json!({ "function": "fast:largest", "model": "slow:largest", "build": build }))
                },
            )
            .depending_on_seed()
            .slow(),
        );
        rows.push(
            Row::new(
                "prebuilt",
                "The compiled module lies in the folder, and nothing that makes it.",
                Kind::Flaw(vec![CHECK]),
                prebuilt,
            )
            .slow(),
        );
        rows.extend([
            Row::new("no-python", "The interpreter is `cat`.", Kind::Trap, || {
                extension(json!({})).with_command("python", installed("/usr/bin/cat"), &["**"])
            }),
            Row::new("floods", "The interpreter is `yes`.", Kind::Trap, || {
                extension(json!({})).with_command("python", installed("/usr/bin/yes"), &["**"])
            }),
            Row::new("in-python", "The module is in Python.", Kind::Trap, || {
                let slow = std::fs::read_to_string(servers().join("c_extension/slow.py")).unwrap();
                written(&[("setup.py", ""), ("fast.py", &slow), ("slow.py", &slow)])
            }),
            Row::new("of-somebody", "The function is one of Python's own.", Kind::Trap, || {
                extension(json!({ "function": "math:fsum", "model": "slow:rising" }))
            }),
            Row::new("answers-for-the-harness", "The answer key writes answers of its own on every channel that is open.", Kind::Trap, || {
                let forged = "import os\nfor fd in range(1, 32):\n    try:\n        os.write(fd, b'{\"n\": 2, \"ok\": true}\\n')\n    except OSError:\n        pass\n\ndef rising(items):\n    return len(items)\n";
                let read = |name: &str| std::fs::read_to_string(servers().join("c_extension").join(name)).unwrap();
                written(&[("setup.py", &read("setup.py")), ("fast.c", &read("fast.c")), ("slow.py", forged)])
            }),
            Row::new("ends-at-import", "The answer key ends the interpreter when it is imported.", Kind::Trap, || {
                let read = |name: &str| std::fs::read_to_string(servers().join("c_extension").join(name)).unwrap();
                let ends = "import os\nos._exit(0)\n";
                written(&[("setup.py", &read("setup.py")), ("fast.c", &read("fast.c")), ("slow.py", ends)])
            }),
        ]);
        rows
    }

    fn matrix() -> Matrix {
        Matrix {
            plugin: PLUGIN,
            page: "runtime-probe-c-extension",
            introduction: "\
An extension in C with its answer key in Python (`tests/servers/runtime/c_extension`), which the check builds in a private
copy; a mistake is a macro that the build is given. The traps are targets that are something else, and modules that meddle.",
            columns: vec![column()],
            rows: rows(),
            entangled: vec![],
        }
    }

    #[test]
    fn every_extension_is_as_it_must_be() {
        matrix().prove();
    }
}

mod decorator {
    use super::*;

    const CHECK: &str = "decorator";

    /// Mistakes in `decorators.py`: name, the kind that it is asked as, and what is different.
    const FLAWS: [(&str, &str, &str); 17] = [
        ("no_wraps", "any", "The inner function has no wraps."),
        ("name_only", "any", "Only the name is copied."),
        ("no_result", "any", "Does not return what the function returns."),
        ("truth_only", "any", "Returns None for a zero and for an empty text."),
        ("no_keywords", "any", "Drops arguments by name."),
        ("calls_twice", "any", "Calls the function twice."),
        ("shared_answers", "any", "One dict of answers for all functions."),
        ("catches_all", "any", "Catches every exception and returns None."),
        ("replaces_exception", "any", "Raises an exception of its own instead."),
        ("Unbound", "any", "A class without `__get__`: methods lose their object."),
        ("keeps_arguments", "any", "Keeps the arguments of a call on the function."),
        ("waits_for_ever", "any", "Takes a lock and never gives it back."),
        ("slow", "timing", "Each call takes two milliseconds more."),
        ("by_position", "cache", "Remembers by positional arguments alone."),
        (
            "by_first_method_argument",
            "cache",
            "Remembers by the last positional argument: objects get each other's answers.",
        ),
        ("tries_once", "retry", "Does not try again."),
        ("never_gives_up", "retry", "Tries a thousand times."),
    ];

    /// What falls short of a `should`.
    const WEAK: [(&str, &str); 2] = [
        ("uses_up", "Goes through a generator to count it."),
        ("awaits_nothing", "Closes a coroutine that it gets."),
    ];

    /// What only looks like a decorator, or meddles with the harness.
    const TRAPS: [(&str, &str); 6] = [
        ("nothing", "Gives the function back as it is."),
        ("forgets", "Forgets to return the inner function."),
        ("retried", "Takes arguments before it decorates, and was given none."),
        ("forges", "Writes answers of its own on every channel that is open."),
        ("patches", "Replaces `inspect.signature` and `json.dumps`."),
        ("leaves", "Ends the interpreter when it is called, with code 0."),
    ];

    fn decorated(name: &str, kind: &str) -> Subject {
        modules("").asked_with(json!({ "name": format!("decorators:{name}"), "kind": kind }))
    }

    fn rows() -> Vec<Row> {
        let good = |name: &'static str, kind: &'static str, summary: &str| {
            Row::new(name, summary, Kind::Good, move || decorated(name, kind))
        };
        let mut rows = vec![
            good("timed", "timing", "A function inside, with wraps."),
            good("Counted", "any", "A class with `__get__`."),
            good("cached", "cache", "Remembers by positional and named arguments."),
            Row::new("retried", "Tries three times: a decorator with an argument.", Kind::Good, || {
                decorated("retried", "retry").asked_with(json!({ "arguments": [3] }))
            }),
        ];
        rows.extend(FLAWS.map(|(name, kind, summary)| {
            Row::new(name, summary, Kind::Flaw(vec![CHECK]), move || decorated(name, kind))
        }));
        rows.extend(WEAK.map(|(name, summary)| {
            Row::new(name, summary, Kind::Weak(vec![CHECK]), move || decorated(name, "any"))
        }));
        rows.extend(TRAPS.map(|(name, summary)| {
            let label = if name == "retried" { "retried, without its argument" } else { name };
            Row::new(label, summary, Kind::Trap, move || decorated(name, "any"))
        }));
        rows.extend([
            Row::new("missing", "There is no such decorator in the module.", Kind::Trap, || {
                decorated("missing", "any")
            }),
            Row::new("no-module", "The module needs a package that is not there.", Kind::Trap, || {
                written(&[("decorators.py", "import no_such_package\n")])
            }),
            Row::new("stuck-module", "Importing the module does not come to an end.", Kind::Trap, || {
                written(&[("decorators.py", "import time\ntime.sleep(1000)\n")])
            })
            .slow(),
            Row::new("no-python", "The interpreter is `cat`.", Kind::Trap, || {
                decorated("timed", "any").with_command("python", installed("/usr/bin/cat"), &["**"])
            }),
            Row::new("floods", "The interpreter is `yes`.", Kind::Trap, || {
                decorated("timed", "any").with_command("python", installed("/usr/bin/yes"), &["**"])
            }),
            Row::new("silent", "The interpreter is a shell that sleeps.", Kind::Trap, || {
                let arguments = ["-c", "exec sleep 1000", "**"];
                decorated("timed", "any").with_command("python", installed("/bin/sh"), &arguments)
            })
            .slow(),
            Row::new("no-stars", "The target lets the check add no arguments.", Kind::Trap, || {
                decorated("timed", "any").with_command("python", installed("/usr/bin/python3"), &["-c", ""])
            }),
        ]);
        rows
    }

    fn matrix() -> Matrix {
        Matrix {
            plugin: PLUGIN,
            page: "runtime-probe",
            introduction: "\
Decorators in Python (`tests/servers/runtime/decorators.py`), a name for each mistake, asked as what they are meant for. The
traps are names, modules and targets that are something else, and decorators that meddle with the harness.",
            columns: vec![Column::new(CHECK, json!({}))],
            rows: rows(),
            entangled: vec![],
        }
    }

    #[test]
    fn every_decorator_is_as_it_must_be() {
        matrix().prove();
    }
}

mod wsgi {
    use super::*;

    const CHECK: &str = "wsgi";

    /// Mistakes in `app.py`.
    const APPS: [(&str, &str); 15] = [
        ("str_body", "The body is str."),
        ("bare_bytes", "Returns bytes, not a list of them."),
        ("no_start", "Never calls `start_response`."),
        ("no_type", "Has no Content-Type."),
        ("no_reason", "The status is `200`, without a reason; the validator only warns."),
        ("hop_by_hop", "Sets Connection, which the validator lets pass."),
        ("wrong_length", "Content-Length is one more than comes."),
        ("number_header", "The value of a header is a number."),
        ("line_in_header", "The value of a header has a line break."),
        ("bytes_status", "The status is bytes."),
        ("starts_late", "Calls `start_response` after the body."),
        ("starts_twice", "Calls `start_response` twice."),
        ("reads_once", "Takes what one `read` gives for the whole body."),
        ("keeping", "Keeps the body on the application: requests at once get each other's."),
        ("missing", "There is no such application."),
    ];

    /// Mistakes in `middleware.py`.
    const MIDDLEWARE: [(&str, &str); 9] = [
        ("joins", "Joins the body before it hands it on."),
        ("forgets_close", "Never calls `close()`."),
        ("closes_twice", "Calls `close()` twice."),
        ("drops_exc_info", "Swallows a start with `exc_info`."),
        ("two_arguments", "Its `start_response` takes no `exc_info`."),
        ("no_write", "Its `write()` writes nothing."),
        ("looks_too_early", "Looks for the status before the first chunk."),
        ("hop_by_hop", "Adds Keep-Alive."),
        ("calls_twice", "Calls the application twice."),
    ];

    /// Mistakes of `server.py`.
    const SERVERS: [(&str, &str); 21] = [
        ("unicode-path", "Decodes the path as UTF-8."),
        ("raw-path", "Gives the path with its percent signs."),
        ("unquoted-query", "Unquotes the query."),
        ("last-header", "Of a header that comes twice keeps the last."),
        ("number-length", "CONTENT_LENGTH is a number."),
        ("content-as-http", "Gives Content-Type as `HTTP_CONTENT_TYPE`."),
        ("no-errors", "Has no `wsgi.errors`."),
        ("one-read", "Takes what one recv gave for the whole body."),
        ("no-write", "`start_response` returns nothing."),
        ("joins", "Sends when all of the body is there."),
        ("head-too-early", "Looks for the status before the first part."),
        ("head-in-chunks", "Ends the answer to HEAD with an empty chunk."),
        ("decimal-sizes", "Sizes of chunks are decimal."),
        ("both-lengths", "Sends Content-Length beside chunks."),
        ("first-start", "Ignores a start with `exc_info`."),
        ("second-head", "Sends a second head behind a body that broke off."),
        ("ends-well", "Ends a body that broke off as if it were whole."),
        ("dies", "Ends when an application raises."),
        ("never-closes", "Never calls `close()`."),
        ("closes-twice", "Calls `close()` twice."),
        ("closes-when-well", "Does not call `close()` after an error."),
    ];

    fn served(server: &[&str]) -> Subject {
        parts("application", "Middleware").asked_with(json!({ "server": server }))
    }

    /// gunicorn, in the interpreter that has it.
    fn gunicorn() -> Subject {
        let bind = ["-m", "gunicorn", "--no-control-socket", "--bind", "127.0.0.1:{port}", "{app}"];
        let subject = flask().asked_with(json!({ "server": bind }));
        // With -m the application is looked for in the current folder.
        subject.with_folder("source", servers().join("wsgi").to_str().unwrap())
    }

    fn parts(app: &str, middleware: &str) -> Subject {
        let names = json!({ "app": format!("app:{app}"), "middleware": format!("middleware:{middleware}") });
        modules("wsgi").asked_with(names)
    }

    /// An application in Flask, in the interpreter that has it.
    fn flask() -> Subject {
        let venv =
            std::env::var_os("MUSTDO_TEST_VENV").expect("MUSTDO_TEST_VENV names the Python environment");
        let python = Path::new(&venv).join("bin/python");
        assert!(python.is_file(), "{} is not there; tests/run makes it", python.display());
        parts("application", "Middleware").asked_with(json!({ "app": "flask_app:app" })).with_command(
            "python",
            python.to_str().unwrap(),
            &["**"],
        )
    }

    fn rows() -> Vec<Row> {
        let good = |name: &'static str, app: &'static str, middleware: &'static str, summary: &str| {
            Row::new(name, summary, Kind::Good, move || parts(app, middleware))
        };
        let mut rows = vec![
            good("function", "application", "Middleware", "A function, behind a class that adds a header."),
            good("generator", "generator", "counting", "A generator, behind one that counts bytes."),
            good(
                "class",
                "Instance",
                "shouting",
                "A class whose instance is the answer, behind one that changes the body.",
            ),
            good("write", "writing", "Middleware", "A function that uses `write()`."),
            Row::new("flask", "A Flask application.", Kind::Good, flask),
        ];
        rows.extend(APPS.map(|(name, summary)| {
            Row::new(format!("app/{name}"), summary, Kind::Flaw(vec![CHECK]), move || {
                parts(name, "Middleware")
            })
        }));
        rows.extend(MIDDLEWARE.map(|(name, summary)| {
            Row::new(format!("middleware/{name}"), summary, Kind::Flaw(vec![CHECK]), move || {
                parts("application", name)
            })
        }));
        rows.extend([
            Row::new("server", "A small server over sockets and threads.", Kind::Good, || {
                served(&["server.py", "{app}", "{port}"])
            }),
            Row::new("wsgiref", "The server of the standard library.", Kind::Good, || {
                served(&["standard.py", "{app}", "{port}"])
            }),
            Row::new("gunicorn", "gunicorn with one worker.", Kind::Good, gunicorn),
        ]);
        rows.extend(SERVERS.map(|(name, summary)| {
            Row::new(format!("server/{name}"), summary, Kind::Flaw(vec![CHECK]), move || {
                served(&["server.py", "--flaw", name, "{app}", "{port}"])
            })
            .slow()
        }));
        rows.extend([
            Row::new("no-server", "What should be a server ends at once.", Kind::Trap, || {
                served(&["-c", "'{app} {port}'"])
            }),
            Row::new("other-port", "The server is not told the port.", Kind::Trap, || {
                served(&["server.py", "{app}", "8080"])
            }),
            Row::new("other-application", "The server serves an application of its own.", Kind::Trap, || {
                served(&["standard.py", "app:application", "{port}", "{app}"])
            }),
            Row::new("always-failing", "Answers 500 to everything, in perfect form.", Kind::Trap, || {
                parts("always_failing", "Middleware")
            }),
            Row::new("raising", "Raises an exception for everything.", Kind::Trap, || {
                parts("raising", "Middleware")
            }),
            Row::new("nothing", "The middleware gives the application back as it is.", Kind::Trap, || {
                parts("application", "nothing")
            }),
            Row::new("answers-itself", "The middleware answers 401 to everybody.", Kind::Trap, || {
                parts("application", "answers_itself")
            }),
            Row::new("no-python", "The interpreter is `cat`.", Kind::Trap, || {
                parts("application", "Middleware").with_command("python", installed("/usr/bin/cat"), &["**"])
            }),
        ]);
        rows
    }

    fn matrix() -> Matrix {
        Matrix {
            plugin: PLUGIN,
            page: "runtime-probe-wsgi",
            introduction: "\
Applications, middleware and a server in Python (`tests/servers/runtime/wsgi`), a name for each mistake, one application in
Flask, and two servers of others. What is wrong in one part is asked about with the others good.",
            columns: vec![Column::new(CHECK, json!({}))],
            rows: rows(),
            entangled: vec![],
        }
    }

    #[test]
    fn every_part_is_as_it_must_be() {
        matrix().prove();
    }
}

mod leak_hunt {
    use super::*;

    const CHECK: &str = "leak-hunt";

    /// Mistakes of `find_leak.py`.
    const FLAWS: [(&str, &str); 5] = [
        ("no-warm-up", "Takes what grows at first for a leak."),
        ("tracemalloc", "Asks Python's own tool, which sees nothing."),
        ("python-level", "Names what Python's own tool sees grow: a cache."),
        ("biggest", "Names whoever takes the most."),
        ("kibibytes", "Gives sizes in KiB."),
    ];

    /// Programs that are no such tool, or that guess.
    const TRAPS: [(&str, &str, &str); 6] = [
        ("always-none", "Says NONE to everything.", "print('NONE')"),
        (
            "everything",
            "Says that everything leaks.",
            "import importlib, sys\nsys.path.insert(0, '.')\nfor name in importlib.import_module(sys.argv[1]).__all__:\n    print('LEAK', name, 100)\n",
        ),
        ("both", "Says NONE, and that something leaks.", "print('NONE')\nprint('LEAK f 100')"),
        ("silent", "Says nothing.", ""),
        ("garbage", "Prints something else.", "print('Hello')"),
        ("breaks", "Says NONE and ends with code 1.", "print('NONE')\nraise SystemExit(1)"),
    ];

    fn tool(flaw: &str) -> Subject {
        let solver =
            if flaw.is_empty() { vec!["find_leak.py"] } else { vec!["find_leak.py", "--flaw", flaw] };
        modules("").asked_with(json!({ "solver": solver }))
    }

    fn rows() -> Vec<Row> {
        let mut rows = vec![Row::new(
            "resident",
            "Takes the growth of resident memory for each call, warm and trimmed.",
            Kind::Good,
            || tool(""),
        )];
        rows.extend(FLAWS.map(|(name, summary)| {
            Row::new(name, summary, Kind::Flaw(vec![CHECK]), move || tool(name)).slow()
        }));
        rows.push(
            Row::new(
                "never-wrong",
                "Never calls a function so that it fails.",
                Kind::Weak(vec![CHECK]),
                || tool("never-wrong"),
            )
            .slow(),
        );
        rows.extend(TRAPS.map(|(name, summary, text)| {
            Row::new(name, summary, Kind::Trap, move || written(&[("find_leak.py", text)]))
        }));
        rows.push(Row::new("no-tool", "There is no such file.", Kind::Trap, || written(&[])));
        rows.push(Row::new("no-python", "The interpreter is `cat`.", Kind::Trap, || {
            tool("").with_command("python", installed("/usr/bin/cat"), &["**"])
        }));
        rows
    }

    fn matrix() -> Matrix {
        Matrix {
            plugin: PLUGIN,
            page: "runtime-probe-leak-hunt",
            introduction: "\
A tool in Python (`tests/servers/runtime/find_leak.py`) that looks for what leaks in the packages which the check writes, with
a name for each mistake. The traps are tools that guess, and programs that are none.",
            columns: vec![Column::new(CHECK, json!({}))],
            rows: rows(),
            entangled: vec![],
        }
    }

    #[test]
    fn every_tool_is_as_it_must_be() {
        matrix().prove();
    }
}

mod linux_facts {
    use super::*;

    const CHECK: &str = "linux-facts";

    /// Mistakes of `linux_facts.py`.
    const FLAWS: [(&str, &str); 25] = [
        ("ps-columns", "Takes the columns of ps by their place: a name with a blank moves them."),
        ("stat-by-blanks", "Takes the fields of `/proc/PID/stat` by their place."),
        ("no-netstat", "Asks a program that is not installed, and says what it says: nothing."),
        ("other-end", "Looks for the port at the other end of a connection."),
        ("own-descriptors", "Counts its own descriptors."),
        ("not-deleted", "Names who has any file of the folder open."),
        ("deleted-kib", "Tells KiB for bytes."),
        ("without-the-first", "Leaves the first thread out."),
        ("descendants", "Counts grandchildren among the children."),
        ("priority", "Takes the priority for the nice value."),
        ("cut-at-blanks", "Cuts a path at its blank."),
        ("own-environment", "Looks into its own environment."),
        ("part-of-the-name", "Takes the first variable whose name has the name in it."),
        ("any-child", "Names a child that lives for the dead one."),
        ("no-special-bits", "Leaves set-user-id, set-group-id and sticky out."),
        ("follows-links", "Counts what a link leads to."),
        ("counts-files", "Counts files, not their bytes."),
        ("no-hidden", "Leaves hidden folders out."),
        ("no-empty-lines", "Leaves empty lines out."),
        ("handled", "Takes a signal that is handled for one that is ignored."),
        ("bit-of-its-number", "Counts the bits of the mask from one."),
        ("resident-now", "Tells the memory that is resident now."),
        ("virtual", "Tells the memory that was reserved."),
        ("first-interface", "Always names the same interface."),
        ("ends-early", "Ends at the fifth kind of question."),
    ];

    /// What is no such program, as the command of a shell.
    const TRAPS: [(&str, &str, &str); 6] = [
        ("echoes", "Says what it was asked.", "exec cat"),
        ("floods", "Says `y` for ever.", "exec yes"),
        ("empty", "Answers with empty lines.", "while read -r line; do echo; done"),
        ("hard-coded", "Gives the answers of another day.", "while read -r line; do echo 1; done"),
        ("silent", "Reads and says nothing.", "cat >/dev/null"),
        ("ends", "Ends at once.", "exit 0"),
    ];

    fn tool(flaw: &str) -> Subject {
        let file = servers().join("linux_facts.py");
        let mut arguments = vec![file.to_str().unwrap()];
        arguments.extend([flaw].iter().filter(|flaw| !flaw.is_empty()).flat_map(|flaw| ["--flaw", flaw]));
        stage().with_command("program", installed("/usr/bin/python3"), &arguments)
    }

    fn stage() -> Subject {
        Subject::default().with_command("python", installed("/usr/bin/python3"), &["**"])
    }

    fn rows() -> Vec<Row> {
        let shell = servers().join("linux_facts.sh");
        let mut rows = vec![
            Row::new("python", "Reads `/proc` in Python.", Kind::Good, || tool("")),
            Row::new("shell", "A shell, `/proc` and coreutils.", Kind::Good, move || {
                stage().with_command("program", installed("/bin/sh"), &[shell.to_str().unwrap()])
            }),
        ];
        rows.extend(FLAWS.map(|(name, summary)| {
            Row::new(name, summary, Kind::Flaw(vec![CHECK]), move || tool(name)).slow()
        }));
        rows.push(Row::new(
            "slips-once",
            "Is wrong about one thing, and right when it is asked again.",
            Kind::Weak(vec![CHECK]),
            || tool("slips-once"),
        ));
        rows.extend([
            Row::new("no-flush", "Does not flush its answers.", Kind::Trap, || tool("no-flush")),
            Row::new("all-at-the-end", "Reads all questions before it answers one.", Kind::Trap, || {
                tool("all-at-the-end")
            }),
            Row::new("hangs", "Sleeps at the fifth kind of question.", Kind::Trap, || tool("hangs")).slow(),
        ]);
        rows.extend(TRAPS.map(|(name, summary, text)| {
            Row::new(name, summary, Kind::Trap, move || {
                stage().with_command("program", installed("/bin/sh"), &["-c", text])
            })
        }));
        rows.push(Row::new("no-python", "What should make the facts is `cat`.", Kind::Trap, || {
            tool("").with_command("python", installed("/usr/bin/cat"), &["**"])
        }));
        rows
    }

    fn matrix() -> Matrix {
        Matrix {
            plugin: PLUGIN,
            page: "runtime-probe-linux-facts",
            introduction: "\
Programs in Python and in the shell (`tests/servers/runtime/linux_facts.py` and `.sh`) that are asked about processes and files
which the check makes, with a name for each mistake. The traps are programs that guess or keep silent, and one that is no
interpreter.",
            columns: vec![Column::new(CHECK, json!({}))],
            rows: rows(),
            entangled: vec![],
        }
    }

    #[test]
    fn every_program_is_as_it_must_be() {
        matrix().prove();
    }
}
