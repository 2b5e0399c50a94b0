//! All operations of the API, in the router's order: what each takes and what it answers.

/// Name, kind (with `!` when it must be there), meaning.
pub(super) type Member = (&'static str, &'static str, &'static str);

/// What a request carries.
pub(super) enum Body {
    /// Nothing.
    None,
    /// CloudEvents in any of their forms.
    Events,
    /// Keys as the configuration file has them; which.
    Keys(&'static str),
    /// Whatever its content type says; what.
    Anything(&'static str),
    /// JSON with these members and no others.
    Members(&'static [Member]),
}

/// One method of one path.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [Member],
    pub(super) body: Body,
    /// When it was done.
    pub(super) status: u16,
    pub(super) answer: &'static str,
    /// The answer's media type; empty: no body.
    pub(super) kind: &'static str,
}

const JSON: &str = "application/json";

/// Answers JSON, takes nothing.
const fn get(path: &'static str, id: &'static str, summary: &'static str, answer: &'static str) -> Operation {
    Operation { method: "get", path, id, summary, query: &[], body: Body::None, status: 200, answer, kind: JSON }
}

const fn post(path: &'static str, id: &'static str, summary: &'static str, answer: &'static str) -> Operation {
    Operation { method: "post", ..get(path, id, summary, answer) }
}

const fn put(path: &'static str, id: &'static str, summary: &'static str, answer: &'static str) -> Operation {
    Operation { method: "put", ..get(path, id, summary, answer) }
}

const fn delete(path: &'static str, id: &'static str, summary: &'static str, answer: &'static str) -> Operation {
    Operation { method: "delete", ..get(path, id, summary, answer) }
}

const DEAD_QUERY: &[Member] = &[
    ("from", "integer", "the first offset in the dead-letter topic: `next` of an earlier answer"),
    ("limit", "integer", "at most so many"),
    ("state", "open|closed|all", "closed are those that were redriven or dropped; open by default"),
    ("events", "boolean", "each with its event"),
    ("reason", "string", "why it died"),
    ("class", "string", "the class of the last failure"),
    ("fingerprint", "string", "failures alike share it"),
    ("type", "string", "the event's type"),
    ("source", "string", "the event's source"),
    ("id", "string", "the event's id"),
    ("key", "string", "the event's key"),
    ("version", "string", "the handler's version"),
    ("contains", "string", "a text in the failure's message"),
    ("since", "string", "died at this time or later (RFC 3339)"),
    ("until", "string", "died before this time (RFC 3339)"),
];
const FOREIGN_QUERY: &[Member] = &[
    ("from", "string", "the first place, `partition:offset`: `next` of an earlier answer"),
    ("limit", "integer", "at most so many"),
    ("events", "boolean", "each with its event"),
    ("reason", "string", "why it died"),
    ("class", "string", "the class of the last failure"),
    ("id", "string", "the event's id"),
    ("key", "string", "the event's key"),
    ("contains", "string", "a text in the failure's message"),
];
const WHY_QUERY: &[Member] = &[
    ("key", "string", "a key"),
    ("id", "string", "an event's id"),
    ("source", "string", "its source, when several have an event of that id"),
    ("what", "string", "an event's id, else a key"),
];
const FILTER: Member = ("filter", "object", "conditions by name, as the query of the list has them; all must hold");
const REASON: Member = ("reason", "string", "why, for the record");
const RATE: Member = ("rate", "string", "at most so fast, such as `50/s`");
const CANARY: Member = ("canary", "integer", "so many go first, and the others only when these do not fail");
const DRY_RUN: Member = ("dry_run", "boolean", "only say what would be done");
const FORCE: &[Member] = &[
    ("state", "open|closed|automatic!", "until further notice, or as it decides itself"),
    ("reason", "string", "why, for whoever finds it like that; must be said of open and closed"),
];

/// Every route of the node.
pub(super) const OPERATIONS: &[Operation] = &[
    get("/v1/topics", "listTopics", "All topics", "`topics`: settings, ends and sizes"),
    get("/v1/intakes", "listIntakes", "What comes in from brokers", "`intakes`: counts, and why nothing comes"),
    get("/v1/topics/{topic}", "showTopic", "One topic", "its settings, ends and sizes"),
    Operation {
        body: Body::Keys("the keys that a topic has in the file: `partitions`, `retention`, `cleanup`"),
        ..put("/v1/topics/{topic}", "putTopic", "Make a topic (201), or give it other settings", "the topic")
    },
    delete("/v1/topics/{topic}", "deleteTopic", "Delete a topic with all that it holds", "its name"),
    Operation {
        body: Body::Members(&[
            ("before", "place!", "`latest`, an offset, or a time (RFC 3339)"),
            ("partition", "integer", "this one only; must be given with an offset"),
            ("owed", "boolean", "also what subscriptions still owe"),
        ]),
        ..post("/v1/topics/{topic}/delete-records", "deleteRecords", "Let a topic begin later", "the topic")
    },
    Operation {
        query: &[
            ("partition", "integer", "this one only"),
            ("from", "string", "`earliest`, `latest`, an offset, a time (RFC 3339), or `next` of an earlier answer"),
            ("cursor", "string", "`next` of an earlier answer"),
            ("limit", "integer", "at most so many, 1,000 at most"),
        ],
        ..get("/v1/topics/{topic}/events", "listEvents", "Read events", "`items`, and `next`: the cursor to go on with")
    },
    Operation {
        body: Body::Events,
        ..post(
            "/v1/topics/{topic}/events",
            "publish",
            "Publish events; answered when they are durable",
            "`results`: for each event its partition and offset, and whether it was there already",
        )
    },
    Operation {
        query: FOREIGN_QUERY,
        ..get("/v1/topics/{topic}/dead", "listForeignDead", "Dead letters of any framework", "`items`, and `next`")
    },
    Operation {
        query: FOREIGN_QUERY,
        ..get("/v1/topics/{topic}/dead/groups", "groupForeignDead", "The same by failure", "`groups`, largest first")
    },
    get(
        "/v1/topics/{topic}/dead/{place}",
        "showForeignDead",
        "One of them, by `partition:offset`, with its event",
        "the letter",
    ),
    Operation {
        body: Body::Members(&[
            FILTER,
            ("from", "string", "the first place, as `partition:offset`: `next` of an earlier answer"),
            ("limit", "integer", "at most so many letters"),
            ("to", "string", "to this topic; without it each goes where it came from"),
            DRY_RUN,
            REASON,
        ]),
        ..post(
            "/v1/topics/{topic}/dead/redrives",
            "redriveForeign",
            "Give dead letters of any framework back to where they came from, each once",
            "`given` by topic, `stayed` by why, `passed_over`, and `next`",
        )
    },
    Operation {
        body: Body::Members(&[
            ("text", "string!", "the file"),
            ("folder", "string!", "what relative paths in it are relative to, on the node's machine"),
            ("prune", "boolean", "remove subscriptions that left the file"),
            DRY_RUN,
        ]),
        ..post("/v1/apply", "apply", "Take a changed configuration file in", "`changes`: what changed, or would")
    },
    Operation {
        query: &[("source", "string", "its source, when several have an event of that id")],
        ..get("/v1/events/{id}", "showStory", "The story of an event", "where it is, and what became of it where")
    },
    get("/v1/subscriptions", "listSubscriptions", "All subscriptions", "`subscriptions`: state, counts, latency, lag"),
    get("/v1/subscriptions/{name}", "showSubscription", "One subscription", "state, counts, breakers, parked keys"),
    Operation {
        query: &[("partition", "integer", "of both topics"), ("offset", "integer", "in the topic that is mirrored")],
        ..get("/v1/subscriptions/{name}/mirror", "translateOffset", "An offset as one of the copy", "`translated`")
    },
    Operation {
        body: Body::Keys("the keys that a subscription has in the file"),
        ..put(
            "/v1/subscriptions/{name}",
            "putSubscription",
            "Make a subscription (201), or change it",
            "it, as it runs",
        )
    },
    delete(
        "/v1/subscriptions/{name}",
        "deleteSubscription",
        "Remove a subscription; its dead letters stay",
        "its name",
    ),
    post("/v1/subscriptions/{name}/pause", "pauseSubscription", "Stop dispatching until it is resumed", "it"),
    post("/v1/subscriptions/{name}/resume", "resumeSubscription", "Dispatch again, after a pause or a drain", "it"),
    Operation {
        query: &[("grace", "string", "how long what is at the handler may still take, such as `10s`")],
        ..post("/v1/subscriptions/{name}/drain", "drainSubscription", "Finish what is at the handler, and rest", "it")
    },
    Operation {
        query: DEAD_QUERY,
        ..get("/v1/subscriptions/{name}/dead", "listDead", "Dead letters", "`items`, oldest first, and `next`")
    },
    Operation {
        query: DEAD_QUERY,
        ..get("/v1/subscriptions/{name}/dead/groups", "groupDead", "Dead letters by failure", "`groups`, largest first")
    },
    get("/v1/subscriptions/{name}/dead/{offset}", "showDead", "One dead letter, with its event", "the letter"),
    Operation {
        body: Body::Members(&[
            FILTER,
            ("offsets", "integers", "these only, by their offsets in the dead-letter topic"),
            ("reason", "string!", "why, for the record"),
            ("all", "boolean", "every open one; needed where nothing else chooses"),
        ]),
        ..post("/v1/subscriptions/{name}/dead/drop", "dropDead", "Drop dead letters", "`dropped`: how many")
    },
    Operation {
        body: Body::Members(&[
            ("handler_version", "string", "the version that failed; that of the newest open letter without it"),
            REASON,
            CANARY,
            RATE,
            DRY_RUN,
        ]),
        status: 202,
        ..post(
            "/v1/subscriptions/{name}/rewind",
            "rewind",
            "Redrive what a handler version killed, and resume",
            "the job",
        )
    },
    get("/v1/subscriptions/{name}/redrives", "listRedrives", "Redrives, oldest first", "`redrives`"),
    Operation {
        body: Body::Members(&[
            FILTER,
            DRY_RUN,
            REASON,
            CANARY,
            RATE,
            ("at_once", "integer", "events that may be open at once"),
            ("stop", "object", "it stops by itself when more than `share` of at least `min` events fail"),
            ("new_key", "boolean", "calls carry an idempotency key of this redrive's own"),
        ]),
        status: 202,
        ..post("/v1/subscriptions/{name}/redrives", "redrive", "Take dead events up again, as a job", "the job")
    },
    get("/v1/subscriptions/{name}/redrives/{id}", "showRedrive", "How far a redrive is", "the job"),
    delete("/v1/subscriptions/{name}/redrives/{id}", "cancelRedrive", "Take up no more", "the job"),
    post("/v1/subscriptions/{name}/redrives/{id}/pause", "pauseRedrive", "Take up no more until resumed", "the job"),
    post("/v1/subscriptions/{name}/redrives/{id}/resume", "resumeRedrive", "Go on, with a fresh look", "the job"),
    get("/v1/subscriptions/{name}/parked", "listParked", "The first few parked keys", "`items`"),
    Operation {
        body: Body::Members(&[("key", "string", "this key; all of them without it")]),
        ..post("/v1/subscriptions/{name}/parked/release", "releaseParked", "Fresh attempts now", "`items`")
    },
    Operation {
        body: Body::Members(&[("key", "string!", "the key")]),
        ..post("/v1/subscriptions/{name}/parked/skip", "skipParked", "Dead-letter the first event of a key", "`items`")
    },
    Operation {
        query: WHY_QUERY,
        ..get("/v1/subscriptions/{name}/why", "whyHere", "What holds an event or a key up here", "`subscriptions`")
    },
    Operation {
        query: WHY_QUERY,
        ..get(
            "/v1/why",
            "why",
            "What holds an event or a key up",
            "`subscriptions`: what is first, what waits behind it",
        )
    },
    Operation {
        body: Body::Anything("what the handler would have answered, headers too"),
        status: 204,
        kind: "",
        ..post("/v1/callbacks/{token}", "answerLater", "What came of an event that was accepted with 202", "taken")
    },
    Operation {
        body: Body::Members(FORCE),
        ..post("/v1/subscriptions/{name}/breaker", "forceHandlerBreaker", "Force the breaker of its handler", "it")
    },
    get("/v1/dependencies", "listDependencies", "What subscriptions depend on", "`dependencies`, with their breakers"),
    get("/v1/dependencies/{name}", "showDependency", "One dependency", "its breaker"),
    Operation {
        body: Body::Members(FORCE),
        ..post("/v1/dependencies/{name}/breaker", "forceBreaker", "Force a shared breaker", "the dependency")
    },
    get("/v1/subscriptions/{name}/replays", "listReplays", "Replays, newest last", "`replays`"),
    Operation {
        body: Body::Members(&[
            ("from", "place!", "`earliest`, an offset, or a time (RFC 3339)"),
            ("to", "place", "`latest`, an offset, or a time; the end that there is now without it"),
            ("partition", "integer", "this one only"),
            ("shadow", "boolean", "calls say `evenkeel-shadow: true`, so that the handler leaves its effects out"),
            ("failures_max", "integer", "it gives up after so many events that failed"),
        ]),
        status: 202,
        ..post("/v1/subscriptions/{name}/replays", "replay", "A window through the handler once more", "the job")
    },
    get("/v1/subscriptions/{name}/replays/{id}", "showReplay", "How far a replay is", "the job"),
    delete("/v1/subscriptions/{name}/replays/{id}", "stopReplay", "Stop a replay", "the job"),
    get("/v1/audit", "audit", "What became of every event, computed from the log", "`ok`, and `subscriptions`"),
    get("/v1/slos", "listObjectives", "Objectives, budgets, burn rates", "`slos`"),
    get("/v1/slos/exclusions", "listExclusions", "Time that counts for nobody", "`exclusions`"),
    Operation {
        body: Body::Members(&[
            ("id", "string", "its name; one is made without it"),
            ("service", "string", "of all objectives of this service"),
            ("subscription", "string", "of all objectives of this subscription"),
            ("objective", "string", "of this objective"),
            ("from", "string!", "from then on (RFC 3339)"),
            ("until", "string!", "before then (RFC 3339)"),
            ("reason", "string!", "why, for the record"),
            ("by", "string!", "who says so"),
            ("said_at", "string", "is not believed: it is now"),
        ]),
        ..post("/v1/slos/exclusions", "exclude", "Exclude a stretch of time, on record", "the exclusion")
    },
    delete("/v1/slos/exclusions/{id}", "includeAgain", "Take an exclusion back", "the exclusion"),
    get("/v1/slas", "listAgreements", "Agreements, with the month that runs", "`slas`"),
    Operation {
        query: &[
            ("month", "string", "like 2026-10; the one that runs when it is left out"),
            ("billed", "string", "what the month cost, like 1234.56"),
        ],
        ..get("/v1/slas/{name}", "showAgreement", "A month of an agreement, with all it is computed from", "the report")
    },
    get("/v1/producers", "listProducers", "Who sends how much, and whether that is usual", "`producers`"),
    get("/v1/alerts", "listAlerts", "Alerts, and those that hold but not for long enough", "`alerts`, `pending`"),
    get("/v1/alerts/silences", "listSilences", "Alerts that nobody is told of for a while", "`silences`"),
    Operation {
        body: Body::Members(&[
            ("id", "string", "its name; one is made without it"),
            (
                "matches",
                "object",
                "which alerts: `service`, `subscription`, `objective`, `alert`, `severity`; all without it",
            ),
            ("from", "string", "from then on (RFC 3339); from now on without it"),
            ("until", "string!", "before then (RFC 3339)"),
            ("reason", "string!", "why, for the record"),
            ("by", "string!", "who says so"),
        ]),
        ..post("/v1/alerts/silences", "silence", "Keep alerts quiet for a while, on record", "the silence")
    },
    delete("/v1/alerts/silences/{id}", "unsilence", "End a silence", "the silence"),
    get("/v1/incidents", "listIncidents", "Incidents with their timelines", "`incidents`"),
    get(
        "/v1/telemetry",
        "showTelemetry",
        "What is sent by OTLP, and what was dropped",
        "`otlp`, or nothing where nothing is sent",
    ),
    get("/v1/chains", "listChains", "Chains of events: completed, late, and where the others are stuck", "`chains`"),
    get(
        "/v1/usage",
        "showUsage",
        "What the node's process and its machine use",
        "`processor`, `memory`, `files`, `threads`, `disk`, `network`",
    ),
    Operation { kind: "text/html", ..get("/", "console", "The console", "a page") },
    Operation {
        kind: "text/html",
        ..get("/objectives/{name}", "objectivePage", "An objective with its plots and alerts", "a page")
    },
    Operation {
        kind: "text/html",
        query: &[("source", "string", "its source, where several have an event of this id")],
        ..get("/events/{id}", "storyPage", "The story of an event as a picture", "a page")
    },
    Operation { kind: "*/*", ..get("/assets/{name}", "asset", "A part of the console", "a file") },
    get("/openapi.json", "openapi", "This document", "OpenAPI 3.1"),
    get("/livez", "live", "The process answers", "`live`"),
    get("/readyz", "ready", "Events can be taken in and outcomes journaled", "`ready`"),
    Operation { kind: "text/plain", ..get("/metrics", "metrics", "Metrics, in Prometheus' form", "text") },
];
