-- The fold in SQL: what the events of `fold_events` mean for runs and groups.
-- Nothing here is shared with ledger/fold.py, so that each is the test of the other; what follows says the same as it.

CREATE OR REPLACE TEMP MACRO whole(text) AS
  CASE
    WHEN text IS NULL THEN NULL
    WHEN regexp_full_match(text, '-?[0-9]+') THEN
      CASE WHEN length(text) > 30 THEN CASE WHEN text[1] = '-' THEN -1::HUGEINT ELSE 1::HUGEINT END << 100
      ELSE CAST(text AS HUGEINT) END
    WHEN TRY_CAST(text AS DOUBLE) = floor(TRY_CAST(text AS DOUBLE)) THEN
      CAST(greatest(-1e30, least(1e30, TRY_CAST(text AS DOUBLE))) AS HUGEINT)
  END;

-- A database of 64-bit integers holds the nearest that it can.
CREATE OR REPLACE TEMP MACRO bounded(number) AS
  CASE WHEN number IS NOT NULL THEN
    CAST(greatest(-9223372036854775807::HUGEINT, least(9223372036854775807::HUGEINT, number)) AS BIGINT)
  END;

-- A time that somebody else wrote may have an offset, which a cast to TIMESTAMP passes over.
CREATE OR REPLACE TEMP MACRO moment(text) AS TRY_CAST(text AS TIMESTAMPTZ) AT TIME ZONE 'UTC';

-- As a text: a cast of JSON makes numbers of true and of "5", too.
CREATE OR REPLACE TEMP MACRO token_count(value) AS
  CASE WHEN whole(CAST(value AS VARCHAR)) >= 0 THEN whole(CAST(value AS VARCHAR)) END;

-- Whether the fields `names` of an object are of these JSON types, or left out.
CREATE OR REPLACE TEMP MACRO fields_are(object, paths, types) AS list_has_all(types, json_type(object, paths));

CREATE OR REPLACE TEMP MACRO is_whole(object, name) AS
  coalesce(json_type(object, '$.' || name) IN ('UBIGINT', 'BIGINT', 'NULL')
    OR (json_type(object, '$.' || name) = 'DOUBLE' AND whole(object ->> ('$.' || name)) IS NOT NULL), true);

CREATE OR REPLACE TEMP MACRO are_texts(object, path) AS
  coalesce(list_has_all(['VARCHAR'], json_type(object, path)), true);

-- The comparison key: scores of two task revisions, or of two scorers, are never compared by themselves.
CREATE OR REPLACE TEMP MACRO fenced(options_key, revision, scorer) AS
  CASE WHEN scorer IS NULL THEN
    CASE WHEN revision = 'unknown' THEN options_key ELSE sha256(options_key || ' ' || revision) END
  ELSE
    sha256(CASE WHEN revision = 'unknown' THEN options_key ELSE sha256(options_key || ' ' || revision) END
      || ' scorer ' || scorer)
  END;

-- Whether an imported row can be one of a run.
CREATE OR REPLACE TEMP MACRO is_run_row(run) AS
  coalesce(json_type(run, '$.benchmark_id') = 'VARCHAR', false)
  AND coalesce((run ->> '$.status') IN ('succeeded', 'failed'), false)
  AND coalesce(json_type(run, '$.status') = 'VARCHAR', false)
  AND fields_are(run, ['$.run_group_id', '$.benchmark_directory', '$.signature', '$.agent', '$.provider', '$.model', '$.started_at',
    '$.cwd', '$.stdout_path', '$.stderr_path', '$.comparison_key'], ['VARCHAR'])
  AND fields_are(run, ['$.ended_at', '$.result_json_path', '$.unit', '$.error', '$.high_score_label', '$.benchmark_version',
    '$.benchmarks_commit', '$.eliza_commit', '$.eliza_version', '$.reason', '$.high_score_source', '$.reproduces'], ['VARCHAR', 'NULL'])
  AND fields_are(run, ['$.duration_seconds', '$.score', '$.high_score_value', '$.delta_to_high_score', '$.stderr'],
    ['DOUBLE', 'UBIGINT', 'BIGINT', 'NULL'])
  AND fields_are(run, ['$.synthetic'], ['BOOLEAN'])
  AND fields_are(run, ['$.higher_is_better'], ['BOOLEAN', 'NULL'])
  AND fields_are(run, ['$.extra_config', '$.metrics', '$.usage', '$.provenance'], ['OBJECT'])
  AND fields_are(run, ['$.command', '$.artifacts', '$.notes'], ['ARRAY'])
  AND coalesce(json_type(run, '$.attempt') <> 'NULL', true)
  AND is_whole(run, 'attempt') AND is_whole(run, 'return_code') AND is_whole(run, 'samples')
  AND are_texts(run, '$.command[*]') AND are_texts(run, '$.notes[*]');

-- The revision that an imported row names; null if it names none, or one that cannot be read.
CREATE OR REPLACE TEMP MACRO imported_revision(revision) AS
  CASE WHEN coalesce(json_type(revision, '$.digest') = 'VARCHAR', false)
    AND fields_are(revision, ['$.version', '$.driver', '$.data', '$.packages'], ['VARCHAR'])
  THEN json_object('digest', revision ->> '$.digest', 'version', coalesce(revision ->> '$.version', ''),
    'driver', coalesce(revision ->> '$.driver', ''), 'data', coalesce(revision ->> '$.data', ''),
    'packages', coalesce(revision ->> '$.packages', '')) END;

CREATE OR REPLACE TEMP MACRO are_artifacts(files) AS
  coalesce(json_type(files) = 'ARRAY' AND json_array_length(files) > 0
    AND len(json_type(files, '$[*].path')) = json_array_length(files)
    AND len(json_type(files, '$[*].bytes')) = json_array_length(files)
    AND len(json_type(files, '$[*].sha256')) = json_array_length(files)
    AND list_has_all(['VARCHAR'], json_type(files, '$[*].path') || json_type(files, '$[*].sha256'))
    AND list_has_all(['UBIGINT', 'BIGINT'], json_type(files, '$[*].bytes')), false);

CREATE OR REPLACE TEMP VIEW folded_runs AS
WITH
-- A run begins with the first event that can begin it.
firsts AS (
  SELECT stream, min(seq) AS first_seq FROM (
    SELECT stream, seq FROM fold_events WHERE type = 'started'
    UNION ALL
    SELECT stream, seq FROM fold_events WHERE type = 'imported' AND is_run_row(data -> '$.run')
  ) GROUP BY stream
),
begun AS MATERIALIZED (
  SELECT e.stream, e.seq AS first_seq, e.recorded_at, e.type = 'imported' AS is_import,
    CASE WHEN e.type = 'imported' THEN data -> '$.source' END AS source,
    json_transform(
      CASE WHEN e.type = 'imported' THEN data -> '$.run' ELSE data END,
      '{"run_group_id": "VARCHAR", "benchmark_id": "VARCHAR", "benchmark_directory": "VARCHAR", "signature": "VARCHAR",
        "status": "VARCHAR", "attempt": "VARCHAR", "agent": "VARCHAR", "provider": "VARCHAR", "model": "VARCHAR",
        "extra_config": "JSON", "started_at": "VARCHAR", "ended_at": "VARCHAR", "duration_seconds": "DOUBLE",
        "command": "JSON", "cwd": "VARCHAR", "stdout_path": "VARCHAR", "stderr_path": "VARCHAR",
        "result_json_path": "VARCHAR", "score": "DOUBLE", "unit": "VARCHAR", "higher_is_better": "BOOLEAN",
        "metrics": "JSON", "artifacts": "JSON", "error": "VARCHAR", "high_score_label": "VARCHAR",
        "high_score_value": "DOUBLE", "delta_to_high_score": "DOUBLE", "benchmark_version": "VARCHAR",
        "benchmarks_commit": "VARCHAR", "eliza_commit": "VARCHAR", "eliza_version": "VARCHAR",
        "comparison_key": "VARCHAR", "reason": "VARCHAR", "return_code": "VARCHAR", "samples": "VARCHAR",
        "stderr": "DOUBLE", "usage": "JSON", "high_score_source": "VARCHAR", "synthetic": "BOOLEAN",
        "notes": "JSON", "owner": "JSON", "provenance": "JSON", "task_revision": "JSON",
        "registration": "VARCHAR", "reproduces": "VARCHAR"}'
    ) AS d
  FROM fold_events e JOIN firsts f ON e.seq = f.first_seq
  -- That is known of them already; it is said again so that only these events are read and joined.
  WHERE e.type IN ('started', 'imported')
),
-- A later import of the same content adds the files that the first one did not have.
added_files AS (
  SELECT e.stream, min(e.seq) AS seq, arg_min(e.data -> '$.run.artifacts', e.seq) AS artifacts
  FROM fold_events e JOIN begun b ON e.stream = b.stream AND e.seq > b.first_seq
  WHERE e.type = 'imported' AND b.is_import AND coalesce(json_array_length(b.d.artifacts), 0) = 0
    AND (b.source ->> '$.kind') <> 'elizaos-orchestrator-sqlite'
    AND (e.data ->> '$.source.sha256') = (b.source ->> '$.sha256') AND are_artifacts(e.data -> '$.run.artifacts')
  GROUP BY e.stream
),
open_runs AS MATERIALIZED (
  SELECT stream, first_seq, NOT is_import AS is_running, nullif(d.owner ->> '$.commitment', '') AS commitment FROM begun
),
closings AS MATERIALIZED (
  SELECT seq, stream, type, type <> 'recovered' AND coalesce(TRY_CAST(data -> '$.late' AS BOOLEAN), false) AS is_late,
    type <> 'recovered' OR json_type(data, '$.adopted') = 'OBJECT' AS needs_proof,
    CASE WHEN contains(data, '"revealed":"') THEN
      coalesce(CASE WHEN type = 'recovered' THEN data ->> '$.adopted.revealed' ELSE data ->> '$.revealed' END, '')
    ELSE '' END AS revealed
  FROM fold_events WHERE type IN ('finished', 'failed', 'recovered')
),
-- It ends with the first closing event that is not a late one, and that its owner or its benchmark's shell can prove.
ends AS MATERIALIZED (
  SELECT c.stream, min(c.seq) AS ended_seq
  FROM closings c JOIN open_runs b ON c.stream = b.stream AND c.seq > b.first_seq
  WHERE b.is_running AND NOT c.is_late AND (
    b.commitment IS NULL OR NOT c.needs_proof OR b.commitment = CASE
      WHEN c.type = 'recovered' THEN
        sha256(split_part(revealed, ' ', 1) || ' ' || sha256(substr(revealed, strpos(revealed, ' ') + 1)))
      ELSE sha256(sha256(split_part(revealed, ' ', 1)) || ' ' || substr(revealed, strpos(revealed, ' ') + 1))
    END
  )
  GROUP BY c.stream
),
outcomes AS MATERIALIZED (
  SELECT e.stream, e.seq AS ended_seq, e.recorded_at, e.type,
    e.type <> 'recovered' OR json_type(e.data, '$.adopted') = 'OBJECT' AS has_outcome,
    CASE WHEN e.type = 'recovered' THEN 'recovered: ' || (e.data ->> '$.reason') END AS recovery,
    CASE WHEN e.type = 'recovered' THEN TRY_CAST(e.data ->> '$.ended_at' AS TIMESTAMP) END AS lost_at,
    CASE WHEN e.type = 'recovered' THEN CAST(e.data ->> '$.duration_seconds' AS DOUBLE) END AS lost_after,
    json_transform(
      CASE WHEN e.type = 'recovered' THEN e.data -> '$.adopted' ELSE e.data END,
      '{"ended_at": "VARCHAR", "duration_seconds": "DOUBLE", "return_code": "VARCHAR", "score": "DOUBLE",
        "unit": "VARCHAR", "higher_is_better": "BOOLEAN", "samples": "VARCHAR", "stderr": "DOUBLE", "metrics": "JSON",
        "usage": "JSON", "artifacts": "JSON", "result_json_path": "VARCHAR",
        "high_score": {"label": "VARCHAR", "value": "DOUBLE", "source": "VARCHAR"}, "delta_to_high_score": "DOUBLE",
        "synthetic": "BOOLEAN", "notes": "JSON", "reason": "VARCHAR", "error": "VARCHAR", "task_revision": "JSON",
        "served_model": "VARCHAR", "logs": "JSON"}'
    ) AS o
  FROM fold_events e JOIN ends x ON e.seq = x.ended_seq
  WHERE e.type IN ('finished', 'failed', 'recovered')
),
-- What the owner of a run that was given up reports afterwards is kept, once, and changes nothing else.
late_reports AS (
  SELECT c.stream, min(c.seq) AS late_seq
  FROM closings c
  JOIN open_runs b ON c.stream = b.stream AND c.seq > b.first_seq
  LEFT JOIN outcomes o ON c.stream = o.stream
  WHERE c.is_late AND coalesce(o.type = 'recovered', false) AND c.seq > o.ended_seq
  GROUP BY c.stream
),
-- Most events are heartbeats, so they are joined once.
alive AS (
  SELECT b.stream, b.first_seq, coalesce(x.ended_seq, 9223372036854775807) AS ended_seq
  FROM open_runs b LEFT JOIN ends x ON b.stream = x.stream
  WHERE b.is_running
),
beats AS (
  SELECT e.stream, max(e.seq) AS seq, arg_max({'at': e.recorded_at, 'data': e.data}, e.seq) AS last,
    arg_max(e.data, e.seq) FILTER (
      -- Looking for a text is many times faster than parsing, and nearly always enough.
      CASE WHEN contains(e.data, 'null') THEN json_type(e.data, '$.progress') = 'OBJECT' ELSE true END
    ) AS with_progress
  FROM fold_events e
  JOIN alive b ON e.stream = b.stream AND e.seq > b.first_seq AND e.seq < b.ended_seq
  WHERE e.type = 'heartbeat'
  GROUP BY e.stream
),
remarks AS (
  SELECT stream, max(seq) AS seq,
    list(data ORDER BY seq) FILTER (type = 'annotated') AS annotations,
    CASE WHEN arg_max(type, seq) FILTER (type NOT IN ('annotated', 'reproduced')) = 'retracted' THEN
      arg_max(data, seq) FILTER (type = 'retracted') END AS retracted
  FROM (
    SELECT e.*, lag(e.type) OVER (
      PARTITION BY e.stream, e.type IN ('annotated', 'reproduced') ORDER BY e.seq
    ) AS before
    FROM fold_events e JOIN open_runs b ON e.stream = b.stream AND e.seq > b.first_seq
    WHERE e.type IN ('annotated', 'retracted', 'reinstated', 'reproduced')
  )
  -- A run that is not retracted cannot be reinstated.
  WHERE type <> 'reinstated' OR before = 'retracted'
  GROUP BY stream
),
cancellations AS (
  SELECT e.stream, min(e.seq) AS seq, arg_min(e.data, e.seq) AS data
  FROM fold_events e
  JOIN open_runs b ON e.stream = b.stream AND e.seq > b.first_seq
  LEFT JOIN ends x ON e.stream = x.stream
  WHERE e.type = 'cancel_requested' AND b.is_running AND (x.ended_seq IS NULL OR e.seq < x.ended_seq)
  GROUP BY e.stream
),
-- Corrections of a score, of a run that has one.
corrections AS MATERIALIZED (
  SELECT e.stream, e.seq, e.type, e.data
  FROM fold_events e
  JOIN begun b ON e.stream = b.stream AND e.seq > b.first_seq
  LEFT JOIN outcomes o ON e.stream = o.stream
  WHERE e.type IN ('samples_excluded', 'samples_included', 'rescored') AND CASE
    WHEN b.is_import THEN b.d.status = 'succeeded' AND b.d.score IS NOT NULL
    ELSE coalesce(e.seq > o.ended_seq AND o.type <> 'failed' AND o.has_outcome AND o.o.score IS NOT NULL, false)
  END
),
corrected AS (
  SELECT stream, max(seq) AS seq,
    arg_max(CASE WHEN type = 'rescored' THEN data ELSE data -> '$.anew' END, seq) AS anew,
    arg_max(data -> '$.scorer', seq) FILTER (type = 'rescored') AS scorer,
    arg_max(TRY_CAST(data ->> '$.higher_is_better' AS BOOLEAN), seq)
      FILTER (type = 'rescored' AND json_type(data, '$.higher_is_better') = 'BOOLEAN') AS upward,
    list(data ORDER BY seq) FILTER (type = 'rescored') AS rescores,
    arg_max(CASE WHEN json_type(data, '$.artifact') = 'OBJECT' THEN [data -> '$.artifact'] ELSE [] END, seq)
      FILTER (type = 'rescored') AS files
  FROM corrections GROUP BY stream
),
-- The last correction that names a sample decides.
left_out AS (
  SELECT stream, list(sample ORDER BY sample) AS samples FROM (
    SELECT stream, sample, arg_max(type, seq) AS last FROM (
      SELECT stream, seq, type, unnest(json_transform(data -> '$.samples', '["VARCHAR"]')) AS sample
      FROM corrections WHERE type <> 'rescored'
    ) GROUP BY stream, sample
  ) WHERE last = 'samples_excluded' GROUP BY stream
),
told AS (
  SELECT
    b.stream AS run_id,
    coalesce(b.d.run_group_id, '') AS run_group_id,
    b.d.benchmark_id AS benchmark_id,
    coalesce(b.d.benchmark_directory, '') AS benchmark_directory,
    coalesce(b.d.signature, '') AS signature,
    CASE
      WHEN NOT b.is_import AND e.type IS NULL THEN 'running'
      WHEN e.type IS NULL THEN b.d.status
      WHEN e.type = 'failed' OR NOT e.has_outcome THEN 'failed'
      ELSE 'succeeded'
    END AS status,
    bounded(coalesce(whole(b.d.attempt), 1)) AS attempt,
    coalesce(b.d.agent, '') AS agent,
    coalesce(b.d.provider, '') AS provider,
    coalesce(b.d.model, '') AS model,
    coalesce(b.d.extra_config, '{}') AS extra_config_json,
    CASE WHEN b.is_import AND b.d.started_at IS NOT NULL THEN moment(b.d.started_at)
      ELSE b.recorded_at END AS started_at,
    CASE
      WHEN e.has_outcome THEN moment(e.o.ended_at)
      WHEN e.type = 'recovered' THEN coalesce(e.lost_at, e.recorded_at)
      WHEN b.is_import THEN moment(b.d.ended_at)
    END AS ended_at,
    CASE WHEN e.has_outcome THEN e.o.duration_seconds WHEN e.type = 'recovered' THEN e.lost_after
      WHEN b.is_import THEN b.d.duration_seconds END AS duration_seconds,
    coalesce(b.d.command, '[]') AS command_json,
    coalesce(b.d.cwd, '') AS cwd,
    coalesce(b.d.stdout_path, '') AS stdout_path,
    coalesce(b.d.stderr_path, '') AS stderr_path,
    CASE WHEN e.has_outcome THEN e.o.result_json_path WHEN b.is_import THEN b.d.result_json_path
    END AS result_json_path,
    CASE WHEN e.has_outcome THEN e.o.score WHEN b.is_import THEN b.d.score END AS score,
    CASE WHEN e.has_outcome THEN e.o.unit WHEN b.is_import THEN b.d.unit END AS unit,
    CASE WHEN e.has_outcome THEN e.o.higher_is_better WHEN b.is_import THEN b.d.higher_is_better
    END AS higher_is_better,
    coalesce(CASE WHEN e.has_outcome THEN e.o.metrics WHEN b.is_import THEN b.d.metrics END, '{}') AS metrics_json,
    coalesce(CASE WHEN e.has_outcome THEN e.o.artifacts WHEN b.is_import THEN coalesce(f.artifacts, b.d.artifacts) END, '[]')
      AS artifacts_json,
    CASE
      WHEN e.type = 'failed' THEN coalesce(nullif(e.o.error, ''), e.o.reason)
      WHEN e.has_outcome THEN NULL
      WHEN e.type = 'recovered' THEN e.recovery
      WHEN b.is_import THEN b.d.error
    END AS error,
    CASE WHEN e.has_outcome THEN e.o.high_score.label WHEN b.is_import THEN b.d.high_score_label
    END AS high_score_label,
    CASE WHEN e.has_outcome THEN e.o.high_score.value WHEN b.is_import THEN b.d.high_score_value
    END AS high_score_value,
    CASE WHEN e.has_outcome THEN e.o.delta_to_high_score WHEN b.is_import THEN b.d.delta_to_high_score
    END AS delta_to_high_score,
    b.d.benchmark_version AS benchmark_version,
    b.d.benchmarks_commit AS benchmarks_commit,
    b.d.eliza_commit AS eliza_commit,
    b.d.eliza_version AS eliza_version,
    b.recorded_at AS created_at,
    coalesce(b.d.comparison_key, '') AS comparison_key,
    CASE
      WHEN e.type = 'failed' THEN e.o.reason
      WHEN e.has_outcome THEN NULL
      WHEN e.type = 'recovered' THEN 'orchestrator_lost'
      WHEN b.is_import THEN b.d.reason
    END AS reason,
    bounded(whole(CASE WHEN e.has_outcome THEN e.o.return_code WHEN b.is_import THEN b.d.return_code END))
      AS return_code,
    bounded(whole(CASE WHEN e.has_outcome THEN e.o.samples WHEN b.is_import THEN b.d.samples END)) AS samples,
    CASE WHEN e.has_outcome THEN e.o.stderr WHEN b.is_import THEN b.d.stderr END AS stderr,
    coalesce(CASE WHEN e.has_outcome THEN e.o.usage WHEN b.is_import THEN b.d.usage END, '{}') AS usage_json,
    CASE WHEN e.has_outcome THEN e.o.high_score.source WHEN b.is_import THEN b.d.high_score_source
    END AS high_score_source,
    coalesce(b.d.synthetic, false) OR coalesce(e.has_outcome AND e.o.synthetic, false) AS synthetic,
    l.late_seq IS NOT NULL AS late,
    coalesce(CASE WHEN e.has_outcome THEN e.o.notes WHEN b.is_import THEN b.d.notes END, '[]') AS notes_json,
    coalesce(e.type = 'recovered', false) AS recovered,
    r.retracted AS retracted_json,
    CASE WHEN r.annotations IS NOT NULL THEN to_json(r.annotations) ELSE '[]' END AS annotations_json,
    b.source AS imported_json,
    w.with_progress -> '$.progress' AS progress_json,
    CASE WHEN e.has_outcome THEN e.recorded_at ELSE coalesce(w.last.at, b.recorded_at) END AS last_seen_at,
    TRY_CAST(w.last.data ->> '$.lease_seconds' AS DOUBLE) AS lease_seconds,
    CASE WHEN NOT b.is_import THEN b.d.owner END AS owner_json,
    coalesce(b.d.provenance, '{}') AS provenance_json,
    b.first_seq AS first_seq,
    greatest(b.first_seq, w.seq, e.ended_seq, l.late_seq, r.seq, f.seq, k.seq, c.seq) AS last_seq,
    coalesce(e.ended_seq, CASE WHEN b.is_import THEN b.first_seq END) AS ended_seq,
    CASE WHEN b.is_import THEN imported_revision(b.d.task_revision) ELSE coalesce(
      CASE WHEN e.has_outcome AND json_type(e.o.task_revision) = 'OBJECT' THEN e.o.task_revision END,
      CASE WHEN json_type(b.d.task_revision) = 'OBJECT' THEN b.d.task_revision END
    ) END AS task_revision_json,
    CASE WHEN e.has_outcome THEN e.o.served_model END AS served_model,
    coalesce(b.d.comparison_key, '') AS options_key,
    CASE WHEN NOT b.is_import THEN b.d.registration END AS registration,
    k.data AS cancel_requested_json,
    c.anew AS anew,
    c.upward AS upward,
    c.files AS files,
    to_json(coalesce(x.samples, [])) AS excluded_json,
    c.scorer AS scorer_json,
    to_json(coalesce(c.rescores, [])) AS rescores_json,
    coalesce(CASE WHEN e.has_outcome THEN e.o.logs END, '[]') AS logs_json,
    b.d.reproduces AS reproduces
  FROM begun b
  LEFT JOIN outcomes e ON b.stream = e.stream
  LEFT JOIN late_reports l ON b.stream = l.stream
  LEFT JOIN beats w ON b.stream = w.stream
  LEFT JOIN remarks r ON b.stream = r.stream
  LEFT JOIN added_files f ON b.stream = f.stream
  LEFT JOIN cancellations k ON b.stream = k.stream
  LEFT JOIN corrected c ON b.stream = c.stream
  LEFT JOIN left_out x ON b.stream = x.stream
),
-- The score is that of the last correction; the first one stays beside it.
scored AS (
  SELECT * EXCLUDE (anew, upward, files) REPLACE (
      CASE WHEN anew IS NULL THEN score ELSE CAST(anew ->> '$.score' AS DOUBLE) END AS score,
      CASE WHEN anew IS NULL THEN unit ELSE anew ->> '$.unit' END AS unit,
      coalesce(upward, higher_is_better) AS higher_is_better,
      CASE WHEN anew IS NULL THEN samples ELSE bounded(whole(anew ->> '$.samples')) END AS samples,
      CASE WHEN anew IS NULL THEN stderr ELSE CAST(anew ->> '$.stderr' AS DOUBLE) END AS stderr,
      CASE WHEN anew IS NULL THEN delta_to_high_score ELSE CAST(anew ->> '$.delta_to_high_score' AS DOUBLE) END
        AS delta_to_high_score,
      -- Of later scorers, the samples of the last one stand beside the files that the run recorded.
      CASE WHEN files IS NULL THEN artifacts_json ELSE to_json(list_concat(
        [a FOR a IN json_transform(artifacts_json, '["JSON"]') IF NOT starts_with(a ->> '$.path', 'rescored/')], files
      )) END AS artifacts_json
    ),
    CASE WHEN anew IS NOT NULL THEN score END AS original_score,
    CASE WHEN anew IS NOT NULL THEN unit END AS original_unit,
    CASE WHEN anew IS NOT NULL THEN higher_is_better END AS original_higher_is_better
  FROM told
),
used AS (
  SELECT * REPLACE (
      fenced(options_key, coalesce(task_revision_json ->> '$.digest', 'unknown'), scorer_json ->> '$.sha256')
        AS comparison_key
    ),
    json_transform(usage_json, '{"input_tokens": "JSON", "output_tokens": "JSON", "total_tokens": "JSON",
    "cached_tokens": "JSON", "calls": "JSON", "call_count": "JSON"}') AS u
  FROM scored
),
counted AS (
  SELECT *,
    token_count(u.input_tokens) AS _input,
    token_count(u.output_tokens) AS _output,
    token_count(u.total_tokens) AS _total,
    token_count(u.cached_tokens) AS _cached,
    CASE WHEN u.calls IS NOT NULL THEN token_count(u.calls)
      WHEN u.call_count IS NOT NULL AND NOT json_exists(usage_json, '$.calls') THEN token_count(u.call_count)
    END AS _calls
  FROM used
)
SELECT * EXCLUDE (u, _input, _output, _total, _cached, _calls),
  bounded(_input) AS input_tokens,
  bounded(_output) AS output_tokens,
  bounded(coalesce(_total, _input + _output)) AS total_tokens,
  bounded(_cached) AS cached_tokens,
  bounded(_calls) AS call_count,
  status = 'succeeded' AND isfinite(coalesce(score, 'nan'::DOUBLE)) AND retracted_json IS NULL
    AND imported_json IS NULL AND NOT synthetic AND NOT late AND reproduces IS NULL AS counts
FROM counted;

CREATE OR REPLACE TEMP VIEW folded_groups AS
WITH
opened AS (
  SELECT stream, min(seq) AS first_seq FROM fold_events WHERE type = 'group_opened' GROUP BY stream
),
closed AS (
  SELECT e.stream, min(e.seq) AS last_seq
  FROM fold_events e JOIN opened o ON e.stream = o.stream AND e.seq > o.first_seq
  WHERE e.type = 'group_closed' GROUP BY e.stream
),
between_them AS (
  SELECT e.stream,
    -- Events of earlier versions do not say who was to do the work: that is null, as in the rows.
    list(json_object(
      'benchmark_id', e.data -> '$.benchmark_id', 'signature', e.data -> '$.signature', 'reason', e.data -> '$.reason',
      'existing_run_id', e.data -> '$.existing_run_id', 'agent', e.data -> '$.agent',
      'provider', e.data -> '$.provider', 'model', e.data -> '$.model'
    ) ORDER BY e.seq) FILTER (e.type = 'skipped') AS skipped,
    list(json_object(
      'benchmark_id', e.data -> '$.benchmark_id', 'signature', e.data -> '$.signature',
      'missing', e.data -> '$.missing', 'agent', e.data -> '$.agent',
      'provider', e.data -> '$.provider', 'model', e.data -> '$.model'
    ) ORDER BY e.seq) FILTER (e.type = 'incompatible') AS incompatible
  FROM fold_events e
  JOIN opened o ON e.stream = o.stream AND e.seq > o.first_seq
  LEFT JOIN closed c ON e.stream = c.stream
  WHERE e.type IN ('skipped', 'incompatible') AND (c.last_seq IS NULL OR e.seq < c.last_seq)
  GROUP BY e.stream
),
controls AS (
  SELECT e.*, max(e.seq) FILTER (e.type = 'resumed') OVER (PARTITION BY e.stream) AS resumed_seq
  FROM fold_events e
  JOIN opened o ON e.stream = o.stream AND e.seq > o.first_seq
  LEFT JOIN closed c ON e.stream = c.stream
  WHERE e.type IN ('cancel_requested', 'paused', 'resumed') AND (c.last_seq IS NULL OR e.seq < c.last_seq)
),
control AS (
  SELECT stream,
    arg_min(data, seq) FILTER (type = 'cancel_requested') AS cancel_requested,
    -- A group that is paused already cannot be paused again: the first one after the last resumption counts.
    arg_min(data, seq) FILTER (type = 'paused' AND seq > coalesce(resumed_seq, 0)) AS paused
  FROM controls GROUP BY stream
)
SELECT
  b.stream AS run_group_id,
  coalesce(TRY_CAST(b.data ->> '$.opened_at' AS TIMESTAMP), b.recorded_at) AS created_at,
  coalesce(TRY_CAST(e.data ->> '$.closed_at' AS TIMESTAMP), e.recorded_at) AS finished_at,
  b.data -> '$.request' AS request_json,
  coalesce(b.data -> '$.benchmarks', '[]') AS benchmarks_json,
  coalesce(b.data -> '$.repo_meta', '{}') AS repo_meta_json,
  coalesce(b.data ->> '$.created_by', '') AS created_by,
  e.data -> '$.counts' AS counts_json,
  e.data ->> '$.reason' AS reason,
  to_json(coalesce(m.skipped, [])) AS skipped_json,
  to_json(coalesce(m.incompatible, [])) AS incompatible_json,
  nullif(b.data -> '$.owner', 'null') AS owner_json,
  nullif(b.data -> '$.imported', 'null') AS imported_json,
  k.cancel_requested AS cancel_requested_json,
  k.paused AS paused_json,
  b.seq AS first_seq
FROM fold_events b
JOIN opened o ON b.seq = o.first_seq
LEFT JOIN closed c ON b.stream = c.stream
LEFT JOIN fold_events e ON e.seq = c.last_seq AND e.type = 'group_closed'
LEFT JOIN between_them m ON b.stream = m.stream
LEFT JOIN control k ON b.stream = k.stream
WHERE b.type = 'group_opened'
ORDER BY b.seq;
