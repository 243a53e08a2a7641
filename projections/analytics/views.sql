-- What everybody asks, on top of the tables. Only runs that count are in the views about records: see `runs.counts`.

CREATE VIEW metrics AS
SELECT r.run_id, r.benchmark_id, r.agent, r.provider, r.model, r.status, r.counts, r.ended_at,
  -- '$.depth."pass@1"' is the metric 'depth.pass@1'. DuckDB quotes every name that is no plain word.
  CASE WHEN contains(m.fullkey, '"') THEN
    regexp_replace(regexp_replace(substr(m.fullkey, 3), '"((?:[^"\\]|\\.)*)"', '\1', 'g'), '\\(.)', '\1', 'g')
  ELSE substr(m.fullkey, 3) END AS metric,
  CASE WHEN m.type IN ('UBIGINT', 'BIGINT', 'DOUBLE') THEN CAST(m.atom AS DOUBLE) END AS value,
  m.type AS type,
  m.atom ->> '$' AS text
FROM runs r, json_tree(r.metrics_json) m
WHERE m.atom IS NOT NULL;

CREATE VIEW score_history AS
WITH holding AS (
  -- A reference that came with another ledger replaces none that was published here.
  SELECT * FROM high_scores
  WHERE NOT merged OR benchmark_id NOT IN (SELECT benchmark_id FROM high_scores WHERE NOT merged)
),
counting AS (
  SELECT * REPLACE (nullif(unit, '') AS unit), coalesce(higher_is_better, true) AS upwards, CASE WHEN upwards THEN score ELSE -score END AS goodness
  FROM runs WHERE counts
),
followed AS (
  SELECT *,
    max(goodness) OVER before AS best_goodness,
    count(*) OVER before AS runs_before
  FROM counting
  -- The order of the ledger, as in projections/scores/records.py: no clock decides what is a record.
  WINDOW before AS (
    PARTITION BY benchmark_id, comparison_key, unit, upwards ORDER BY ended_seq, first_seq
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
)
SELECT
  f.run_id, f.run_group_id, f.benchmark_id, f.comparison_key, f.agent, f.provider, f.model, f.started_at, f.ended_at,
  f.ended_seq, f.score, f.stderr, f.unit, f.upwards AS higher_is_better,
  h.label AS reference_label, h.value AS reference_value, h.unit AS reference_unit, h.source AS reference_source,
  h.published_at AS reference_published_at,
  coalesce((h.unit IS NULL OR h.unit = f.unit) AND h.higher_is_better = f.upwards, false) AS reference_measures,
  CASE WHEN reference_measures THEN f.score - h.value END AS delta_to_reference,
  CASE WHEN reference_measures THEN CASE WHEN f.upwards THEN f.score > h.value ELSE f.score < h.value END
  END AS beats_reference,
  CASE WHEN f.upwards THEN f.best_goodness ELSE -f.best_goodness END AS best_before,
  f.runs_before,
  f.score - best_before AS delta_to_best,
  f.best_goodness IS NULL OR f.goodness > f.best_goodness AS is_record
FROM followed f ASOF LEFT JOIN holding h
  ON f.benchmark_id = h.benchmark_id AND f.ended_seq >= h.seq;

CREATE VIEW leaderboard AS
WITH counting AS (
  SELECT * REPLACE (nullif(unit, '') AS unit), coalesce(higher_is_better, true) AS upwards, CASE WHEN upwards THEN score ELSE -score END AS goodness,
    coalesce(extra_config_json ->> '$.repeat', '1') AS repetition,
    coalesce(ended_at, started_at, TIMESTAMP '0001-01-01') AS happened_at
  FROM runs WHERE counts
),
-- Of several attempts at one repetition the newest counts.
repetitions AS (
  SELECT benchmark_id, comparison_key, unit, upwards, agent, provider, model, repetition,
    arg_max({'score': score, 'stderr': stderr}, (happened_at, first_seq)) AS newest
  FROM counting GROUP BY ALL
),
means AS (
  SELECT benchmark_id, comparison_key, unit, upwards, agent, provider, model,
    count(*) AS repeats, avg(newest.score) AS mean,
    CASE WHEN count(*) > 1 THEN stddev_samp(newest.score) / sqrt(count(*)) ELSE any_value(newest.stderr) END AS stderr,
    CASE WHEN count(*) > 1 THEN 'repeats' WHEN any_value(newest.stderr) IS NOT NULL THEN 'samples' END AS stderr_of
  FROM repetitions GROUP BY ALL
),
extremes AS (
  SELECT benchmark_id, comparison_key, unit, upwards, agent, provider, model, count(*) AS runs,
    arg_max({'run_id': run_id, 'score': score, 'at': coalesce(ended_at, started_at), 'config': extra_config_json},
      (happened_at, first_seq)) AS latest,
    arg_min({'run_id': run_id, 'score': score}, (-goodness, ended_seq, first_seq)) AS best
  FROM counting GROUP BY ALL
),
references_now AS (
  SELECT benchmark_id, arg_max({'label': label, 'value': value, 'unit': unit, 'up': higher_is_better}, seq) AS h
  FROM high_scores
  WHERE NOT merged OR benchmark_id NOT IN (SELECT benchmark_id FROM high_scores WHERE NOT merged)
  GROUP BY benchmark_id
),
standings AS (
  SELECT m.*, x.runs, x.latest, x.best,
    CASE WHEN (r.h.unit IS NULL OR r.h.unit = m.unit) AND r.h.up = m.upwards THEN r.h END AS reference
  FROM means m
  JOIN extremes x ON m.benchmark_id = x.benchmark_id AND m.comparison_key = x.comparison_key
    AND m.unit IS NOT DISTINCT FROM x.unit AND m.upwards = x.upwards
    AND m.agent = x.agent AND m.provider = x.provider AND m.model = x.model
  LEFT JOIN references_now r ON m.benchmark_id = r.benchmark_id
)
SELECT
  benchmark_id, comparison_key,
  rank() OVER (
    PARTITION BY benchmark_id, comparison_key, unit, upwards
    -- The mean of 0.4 and 0.2 is a little more than 0.3, and no better.
    ORDER BY CAST(format('{:.12g}', CASE WHEN upwards THEN -mean ELSE mean END) AS DOUBLE)
  ) AS rank,
  agent, provider, model, mean, stderr, stderr_of, repeats, unit, upwards AS higher_is_better, runs,
  latest.score AS latest_score, latest.run_id AS latest_run_id, latest.at AS latest_at,
  best.score AS best_score, best.run_id AS best_run_id,
  reference.label AS reference_label, reference.value AS reference_value,
  mean - reference.value AS delta_to_reference,
  latest.config AS extra_config_json
FROM standings;

CREATE VIEW campaigns AS
WITH ended AS (
  SELECT run_group_id, count(*) AS runs, count_if(status = 'succeeded')::BIGINT AS succeeded, count_if(status = 'failed')::BIGINT AS failed,
    count_if(status = 'running')::BIGINT AS running, count_if(counts)::BIGINT AS counting, sum(duration_seconds) AS run_seconds,
    -- A single run may claim the largest integer there is.
    least(sum(total_tokens), 9223372036854775807)::BIGINT AS total_tokens
  FROM runs GROUP BY run_group_id
)
SELECT
  g.run_group_id, g.created_at, g.finished_at, g.created_by, g.reason,
  g.request_json ->> '$.agent' AS agent, g.request_json ->> '$.provider' AS provider,
  g.request_json ->> '$.model' AS model,
  coalesce(e.runs, 0) AS runs, coalesce(e.succeeded, 0) AS succeeded, coalesce(e.failed, 0) AS failed,
  coalesce(e.running, 0) AS running, coalesce(e.counting, 0) AS counting,
  json_array_length(g.skipped_json)::BIGINT AS skipped, json_array_length(g.incompatible_json)::BIGINT AS incompatible,
  e.run_seconds, e.total_tokens, g.request_json, g.benchmarks_json
FROM run_groups g LEFT JOIN ended e ON g.run_group_id = e.run_group_id;
