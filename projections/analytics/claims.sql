-- What people claimed, and what became of it: registered plans, published tables, reproductions. The events are few.

CREATE VIEW registrations AS
WITH said AS (
  SELECT stream, seq, recorded_at, type, data ->> '$.reason' AS reason, data ->> '$.author' AS author,
    CASE WHEN type = 'registered' THEN data ELSE data -> '$.changes' END AS plan,
    min(seq) FILTER (type = 'registered') OVER (PARTITION BY stream) AS begun
  FROM events WHERE type IN ('registered', 'registration_amended') AND seq NOT IN (FROM void)
),
-- A plan is registered once, and amended only after that.
valid AS (
  SELECT * FROM said WHERE seq = begun OR (type = 'registration_amended' AND seq > begun)
)
SELECT stream AS registration_id, min(recorded_at) AS registered_at, arg_min(author, seq) AS author,
  arg_max(plan ->> '$.hypothesis', seq) FILTER (json_exists(plan, '$.hypothesis')) AS hypothesis,
  arg_max(plan -> '$.benchmarks', seq) FILTER (json_exists(plan, '$.benchmarks')) AS benchmarks_json,
  arg_max(plan -> '$.contenders', seq) FILTER (json_exists(plan, '$.contenders')) AS contenders_json,
  arg_max(TRY_CAST(plan ->> '$.n' AS BIGINT), seq) FILTER (coalesce(json_type(plan, '$.n') <> 'NULL', false)) AS n,
  coalesce(arg_max(TRY_CAST(plan ->> '$.repeats' AS BIGINT), seq) FILTER (json_exists(plan, '$.repeats')), 1) AS repeats,
  coalesce(arg_max(plan ->> '$.metric', seq) FILTER (json_exists(plan, '$.metric')), 'score') AS metric,
  arg_max(plan -> '$.test', seq) FILTER (json_exists(plan, '$.test')) AS test_json,
  coalesce(arg_max(TRY_CAST(plan ->> '$.threshold' AS DOUBLE), seq) FILTER (json_exists(plan, '$.threshold')), 0.05)
    AS threshold,
  arg_max(plan ->> '$.stopping_rule', seq) FILTER (json_exists(plan, '$.stopping_rule')) AS stopping_rule,
  arg_max({'at': plan ->> '$.deadline'}, seq) FILTER (json_exists(plan, '$.deadline')).at AS deadline,
  arg_max(plan -> '$.exclusions', seq) FILTER (json_exists(plan, '$.exclusions')) AS exclusions_json,
  count_if(type = 'registration_amended')::BIGINT AS amendments,
  max(recorded_at) FILTER (type = 'registration_amended') AS amended_at,
  min(seq) AS seq
FROM valid GROUP BY stream;

-- The runs of a plan as it is now: the same as projections/scores/planned.py says, written again.
CREATE VIEW registered_runs AS
WITH tasks AS (
  SELECT registration_id, unnest(json_transform(benchmarks_json,
    '[{"id": "VARCHAR", "comparison_key": "VARCHAR", "seed": "BIGINT"}]')) AS task FROM registrations
),
contenders AS (
  SELECT registration_id, unnest(json_transform(contenders_json,
    '[{"name": "VARCHAR", "agent": "VARCHAR", "provider": "VARCHAR", "model": "VARCHAR"}]')) AS one FROM registrations
),
fitting AS (
  SELECT p.registration_id, r.run_id, r.benchmark_id, t.task.seed AS seed, c.one.name AS contender,
    coalesce(r.extra_config_json ->> '$.repeat', '1') AS repetition,
    coalesce(json_type(r.extra_config_json, '$.repeat'), 'UBIGINT') IN ('UBIGINT', 'BIGINT')
      AND coalesce(TRY_CAST(repetition AS BIGINT) BETWEEN 1 AND p.repeats, false) AS is_planned,
    r.registration IS NOT DISTINCT FROM p.registration_id AS names_plan,
    r.first_seq < p.seq OR (NOT names_plan AND r.started_at < p.registered_at) AS is_earlier,
    r.reproduces IS NOT NULL AS is_reproduction, r.status, r.reason, r.retracted_json IS NOT NULL AS is_retracted,
    CASE WHEN p.metric = 'score' THEN r.score
      WHEN json_type(r.metrics_json, '/' || replace(replace(p.metric, '~', '~0'), '/', '~1'))
        IN ('DOUBLE', 'UBIGINT', 'BIGINT') THEN
        CAST(r.metrics_json ->> ('/' || replace(replace(p.metric, '~', '~0'), '/', '~1')) AS DOUBLE)
    END AS value,
    r.counts AND is_planned AND NOT is_earlier AND value IS NOT NULL AS is_eligible,
    t.task.comparison_key AS options_key, r.first_seq
  FROM registrations p
  JOIN tasks t ON p.registration_id = t.registration_id
  JOIN contenders c ON p.registration_id = c.registration_id
  JOIN runs r ON r.benchmark_id = t.task.id AND r.options_key = t.task.comparison_key AND r.agent = c.one.agent
    AND lower(r.provider) = lower(c.one.provider) AND r.model = c.one.model
  WHERE r.imported_json IS NULL
)
SELECT registration_id, run_id, benchmark_id, seed, contender, repetition, is_planned, names_plan, is_earlier,
  is_reproduction, status, reason, is_retracted, value,
  is_eligible AND first_seq = min(first_seq) FILTER (is_eligible) OVER (
    PARTITION BY registration_id, benchmark_id, options_key, contender, repetition
  ) AS counts
FROM fitting;

CREATE VIEW published_tables AS
SELECT stream AS table_id, data ->> '$.name' AS name, TRY_CAST(data ->> '$.version' AS BIGINT) AS version,
  data ->> '$.rules.title' AS title, recorded_at AS published_at, data ->> '$.author' AS author,
  json_array_length(data, '$.rows')::BIGINT AS rows, data ->> '$.registration.id' AS registration_id,
  data ->> '$.registration.standing' AS standing, data ->> '$.registration.outcome' AS outcome,
  data -> '$.rules' AS rules_json, seq
FROM events WHERE type = 'published' AND seq NOT IN (FROM void);

CREATE VIEW reproductions AS
SELECT e.stream AS run_id, e.data ->> '$.of.run' AS of_run, e.data ->> '$.of.origin' AS of_origin,
  e.data ->> '$.of.hash' AS of_hash, e.data ->> '$.verdict' AS verdict, e.data ->> '$.by' AS author,
  e.recorded_at AS reproduced_at, r.retracted_json IS NULL AS holds,
  TRY_CAST(e.data ->> '$.evidence.score' AS DOUBLE) AS score_of,
  TRY_CAST(e.data ->> '$.evidence.score_again' AS DOUBLE) AS score_again, e.data -> '$.evidence' AS evidence_json, e.seq
FROM events e JOIN runs r ON e.stream = r.run_id AND e.seq > r.first_seq
WHERE e.type = 'reproduced' AND e.seq NOT IN (FROM void);

CREATE VIEW published_rows AS
WITH shown AS (
  SELECT stream AS table_id, data ->> '$.name' AS name, TRY_CAST(data ->> '$.version' AS BIGINT) AS version, seq,
    unnest(json_transform(data -> '$.rows', '["JSON"]')) AS row
  FROM events WHERE type = 'published' AND seq NOT IN (FROM void)
)
SELECT table_id, name, version, row ->> '$.benchmark_id' AS benchmark_id, row ->> '$.comparison_key' AS comparison_key,
  TRY_CAST(row ->> '$.rank' AS BIGINT) AS rank, row ->> '$.agent' AS agent, row ->> '$.provider' AS provider,
  row ->> '$.model' AS model, TRY_CAST(row ->> '$.score' AS DOUBLE) AS score,
  TRY_CAST(row ->> '$.stderr' AS DOUBLE) AS stderr, TRY_CAST(row ->> '$.low' AS DOUBLE) AS low,
  TRY_CAST(row ->> '$.high' AS DOUBLE) AS high, row ->> '$.unit' AS unit,
  TRY_CAST(row ->> '$.repeats' AS BIGINT) AS repeats, TRY_CAST(row ->> '$.attempts' AS BIGINT) AS attempts,
  TRY_CAST(row ->> '$.completion' AS DOUBLE) AS completion, TRY_CAST(row ->> '$.cost_usd' AS DOUBLE) AS cost_usd,
  row ->> '$.runs[*].run_id' AS run_ids,
  (SELECT count(*) FROM runs r WHERE list_contains(row ->> '$.runs[*].run_id', r.run_id)
    AND r.retracted_json IS NOT NULL) AS retracted,
  (SELECT count(DISTINCT x.run_id) FROM reproductions x
    WHERE list_contains(row ->> '$.runs[*].run_id', x.of_run) AND x.holds) AS reproduced,
  seq
FROM shown;
