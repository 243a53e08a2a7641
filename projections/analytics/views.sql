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

-- The cost of a run in US dollars as its usage gives it; an amount is finite and not below 0.
CREATE MACRO amount_at(usage, path) AS
  CASE WHEN json_type(usage, path) IN ('DOUBLE', 'UBIGINT', 'BIGINT') THEN
    CASE WHEN CAST(usage ->> path AS DOUBLE) >= 0 AND isfinite(CAST(usage ->> path AS DOUBLE))
      THEN CAST(usage ->> path AS DOUBLE) END
  END;
CREATE MACRO cost_of(usage) AS
  CASE WHEN coalesce(json_type(usage, '$.cost_usd'), 'NULL') = 'NULL' THEN amount_at(usage, '$.cost')
    ELSE amount_at(usage, '$.cost_usd') END;

-- How sure a score is: the same as projections/scores/uncertainty.py says, written again.

-- How many standard errors a 95% interval reaches: Student's t, of no degrees of freedom the normal distribution.
CREATE MACRO reach_95(freedom) AS
  CASE
    WHEN freedom IS NULL OR freedom > 1000 THEN 1.959963984540054
    WHEN floor(freedom + 1e-9) < 30 THEN [
    12.706204736172367, 4.302652729749752, 3.1824463052844294, 2.776445105198036, 2.570581835635494,
    2.4469118511451597, 2.3646242515924314, 2.306004135204603, 2.2621571627978483, 2.2281388519868415,
    2.200985160091477, 2.1788128296675495, 2.1603686564621967, 2.1447866879179855, 2.131449545559917,
    2.1199052992205907, 2.109815577833615, 2.1009220402402207, 2.093024054408488, 2.0859634472662947,
    2.0796138447285557, 2.0738730679031505, 2.0686576104189953, 2.0638985616287755, 2.0595385527531107,
    2.0555294386422247, 2.05183051647964, 2.0484071417949963, 2.0452296421326537
    ][greatest(1, CAST(floor(freedom + 1e-9) AS BIGINT))]
    ELSE 1.959963984540054 + 2.372271230298562 / floor(freedom + 1e-9) + 2.8224986157396112 / floor(freedom + 1e-9) ** 2
      + 2.555849679507722 / floor(freedom + 1e-9) ** 3 + 1.5895340533938225 / floor(freedom + 1e-9) ** 4
  END;

-- By how much the variance between repetitions may exceed that of their answers by chance.
CREATE MACRO explained(repeats) AS
  (1 - 2 / (9 * (repeats - 1)) + 2.3263478740408408 * sqrt(2 / (9 * (repeats - 1)))) ** 3;

-- One bound of Wilson's interval of a proportion; `side` is -1 or 1.
CREATE MACRO wilson(share, trials, z, side) AS
  (share + z * z / (2 * trials) + side * z * sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2))
    / (1 + z * z / trials);

-- The 1 - q quantile of the normal distribution for q up to 0.07: Wichura's algorithm AS 241, its branch for tails.
CREATE MACRO tail_ratio(r) AS
  (((((((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1) * r
    + 1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.76949722146069140550) * r
    + 4.63033784615654529590) * r + 1.42343711074968357734)
  / (((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 1.51986665636164571966e-2) * r
    + 1.48103976427480074590e-1) * r + 6.89767334985100004550e-1) * r + 1.67638483018380384940) * r
    + 2.05319162663775882187) * r + 1);

-- By how much 95% intervals are widened for the ranks of all contenders together.
CREATE MACRO rank_factor(contenders) AS
  tail_ratio(sqrt(-ln(0.05 / (2 * greatest(1, contenders * (contenders - 1) // 2)))) - 1.6) / 1.959963984540054;

-- By the newest run with the repeats of its campaign ('newest'), or by the newest campaign with several repeats
-- ('repeats'): the same as projections/scores/standing_runs.py says, written again.
CREATE MACRO leaderboard_by(which) AS TABLE
WITH counting AS (
  SELECT * REPLACE (nullif(unit, '') AS unit), coalesce(higher_is_better, true) AS upwards, CASE WHEN upwards THEN score ELSE -score END AS goodness,
    coalesce(extra_config_json ->> '$.repeat', '1') AS repetition,
    coalesce(nullif(run_group_id, ''), run_id) AS campaign,
    coalesce(ended_at, started_at, TIMESTAMP '0001-01-01') AS happened_at
  FROM runs WHERE counts
),
-- Of several runs of one repetition in a campaign the newest counts.
by_campaign AS (
  SELECT benchmark_id, comparison_key, unit, upwards, agent, provider, model, campaign, repetition,
    arg_max({'score': score, 'stderr': stderr, 'samples': samples}, (happened_at, first_seq)) AS newest,
    max((happened_at, first_seq)) AS moment
  FROM counting GROUP BY ALL
),
campaigns_of AS (
  SELECT benchmark_id, comparison_key, unit, upwards, agent, provider, model, campaign,
    count(*) > 1 AS is_repeated, max(moment) AS moment
  FROM by_campaign GROUP BY ALL
),
standing AS (
  SELECT benchmark_id, comparison_key, unit, upwards, agent, provider, model,
    arg_max(campaign, (which = 'repeats' AND is_repeated, moment)) AS campaign
  FROM campaigns_of GROUP BY ALL
),
repetitions AS (
  SELECT b.* EXCLUDE (campaign, moment) FROM by_campaign b JOIN standing s
    ON b.benchmark_id = s.benchmark_id AND b.comparison_key = s.comparison_key
    AND b.unit IS NOT DISTINCT FROM s.unit AND b.upwards = s.upwards
    AND b.agent = s.agent AND b.provider = s.provider AND b.model = s.model AND b.campaign = s.campaign
),
-- The least and the largest score of a unit that has them.
reported AS (
  SELECT * EXCLUDE (newest), newest.score AS score, newest.stderr AS stderr, newest.samples AS samples,
    CASE unit WHEN 'ratio' THEN 1.0 WHEN 'percent' THEN 100.0 WHEN '%' THEN 100.0 END AS most,
    CASE WHEN min(newest.score) OVER own >= 0 AND max(newest.score) OVER own <= most THEN most END AS span
  FROM repetitions
  WINDOW own AS (PARTITION BY benchmark_id, comparison_key, unit, upwards, agent, provider, model)
),
-- The standard error of each, as it was reported, or that of a proportion.
erring AS (
  SELECT *,
    span * sqrt(greatest(0, score / span * (1 - score / span)) / greatest(1, coalesce(nullif(samples, 0), 1) - 1))
      AS of_trials,
    CASE WHEN isfinite(stderr) AND stderr > coalesce(1e-9 * span, 0) THEN stderr WHEN samples >= 1 THEN of_trials END
      AS error,
    samples IS NOT NULL AND error IS NOT NULL AND CASE WHEN of_trials = 0 OR error = 0 THEN of_trials = error
      ELSE abs((of_trials / error) ** 2 - 1) <= 0.02 + 1.01 / greatest(1, samples - 1) END AS is_proportion
  FROM reported
),
scaled AS (
  -- In units of the largest error: the square of a very large one would overflow.
  SELECT *, greatest(max(error) OVER own, 1e-300) AS scale FROM erring
  WINDOW own AS (PARTITION BY benchmark_id, comparison_key, unit, upwards, agent, provider, model)
),
together AS (
  SELECT benchmark_id, comparison_key, unit, upwards, agent, provider, model, any_value(span) AS span,
    count(*) AS repeats, min(score) = max(score) AS agree, CASE WHEN agree THEN min(score) ELSE avg(score) END AS mean,
    CASE WHEN agree THEN 0 ELSE coalesce(stddev_samp(score), 0) / sqrt(count(*)) END AS scatter,
    CASE WHEN count(*) FILTER (samples > 0) = count(*) THEN min(samples) END AS size,
    bool_and(is_proportion) AS are_proportions, any_value(scale) AS largest,
    CASE WHEN count(error) = count(*) THEN sum((error / scale) ** 2) / count(*) END AS within,
    count(*) * (scatter / largest) ** 2 AS between_runs,
    within IS NOT NULL AND (count(*) = 1 OR between_runs <= within * explained(count(*))) AS by_samples
  FROM scaled GROUP BY ALL
),
errors AS (
  SELECT *,
    CASE WHEN by_samples THEN largest * sqrt(greatest(within / repeats, within - (1 - 1 / repeats) * between_runs))
      ELSE scatter END AS error,
    CASE WHEN NOT by_samples THEN repeats - 1 WHEN size IS NOT NULL THEN size - 1 END AS freedom,
    mean / span AS share,
    span IS NOT NULL AND error <= 1e-9 * span AS is_flat,
    CASE WHEN is_flat THEN CASE WHEN share IN (0, 1) THEN size END
      WHEN span IS NULL THEN NULL
      WHEN by_samples AND are_proportions AND size IS NOT NULL
        THEN CASE WHEN repeats = 1 THEN size ELSE least(share * (1 - share) / (error / span) ** 2 + 1, repeats * size) END
      ELSE share * (1 - share) / (error / span) ** 2 + 1 END AS trials,
    CASE WHEN is_flat OR (by_samples AND are_proportions AND size IS NOT NULL) THEN reach_95(NULL)
      WHEN by_samples AND size IS NOT NULL AND trials < size THEN reach_95(greatest(1, trials - 1))
      ELSE reach_95(freedom) END AS z
  FROM together
),
bounded_means AS (
  SELECT *, error > 0 AND NOT is_flat AS is_spread,
    CASE WHEN span IS NULL AND is_spread THEN mean - z * error
      WHEN trials IS NOT NULL THEN span * least(share, greatest(0, wilson(share, trials, z, -1))) END AS lower,
    CASE WHEN span IS NULL AND is_spread THEN mean + z * error
      WHEN trials IS NOT NULL THEN span * greatest(share, least(1, wilson(share, trials, z, 1))) END AS upper,
    -- Scores near the largest float there is say nothing about their noise.
    coalesce(isfinite(lower) AND isfinite(upper), false) AS is_known
  FROM errors
),
means AS (
  SELECT benchmark_id, comparison_key, unit, upwards, agent, provider, model, repeats, mean,
    CASE WHEN is_known AND is_spread THEN error END AS stderr,
    CASE WHEN is_known THEN lower END AS low,
    CASE WHEN is_known THEN upper END AS high,
    CASE WHEN is_known THEN CASE WHEN by_samples OR is_flat THEN 'samples' ELSE 'repeats' END END AS stderr_of,
    CASE WHEN is_known THEN CASE WHEN span IS NULL THEN 't' ELSE 'wilson' END END AS interval_method
  FROM bounded_means
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
),
turned AS (
  -- Turned so that more is better; the arms of the interval, wide enough for all contenders of the task together.
  SELECT *, CASE WHEN upwards THEN mean ELSE -mean END AS good, count(*) OVER task AS contenders,
    rank_factor(contenders) * CASE WHEN upwards THEN high - mean ELSE mean - low END AS up,
    rank_factor(contenders) * CASE WHEN upwards THEN mean - low ELSE high - mean END AS down
  FROM standings
  WINDOW task AS (PARTITION BY benchmark_id, comparison_key, unit, upwards)
),
-- Two differ by more than noise if their difference is larger than their arms towards each other.
ranked AS (
  SELECT a.benchmark_id, a.comparison_key, a.unit, a.upwards, a.agent, a.provider, a.model,
    any_value(a.contenders) AS contenders,
    -- Of more than 200 their sum, as in projections/scores/ranks.py.
    count(*) FILTER (
      CASE WHEN a.contenders > 200 THEN b.good - b.down > a.good + a.up
        ELSE b.good - a.good > sqrt(a.up ** 2 + b.down ** 2) END
    ) AS better,
    count(*) FILTER (
      CASE WHEN a.contenders > 200 THEN a.good - a.down > b.good + b.up
        ELSE a.good - b.good > sqrt(a.down ** 2 + b.up ** 2) END
    ) AS worse
  FROM turned a JOIN turned b ON a.benchmark_id = b.benchmark_id AND a.comparison_key = b.comparison_key
    AND a.unit IS NOT DISTINCT FROM b.unit AND a.upwards = b.upwards
  GROUP BY ALL
)
SELECT
  s.benchmark_id, s.comparison_key,
  rank() OVER (
    PARTITION BY s.benchmark_id, s.comparison_key, s.unit, s.upwards
    -- The mean of 0.4 and 0.2 is a little more than 0.3, and no better.
    ORDER BY CAST(format('{:.12g}', CASE WHEN s.upwards THEN -mean ELSE mean END) AS DOUBLE)
  ) AS rank,
  (1 + r.better)::BIGINT AS rank_low, (r.contenders - r.worse)::BIGINT AS rank_high,
  s.agent, s.provider, s.model, mean, stderr, stderr_of, low, high, interval_method, repeats, s.unit,
  s.upwards AS higher_is_better, runs,
  latest.score AS latest_score, latest.run_id AS latest_run_id, latest.at AS latest_at,
  best.score AS best_score, best.run_id AS best_run_id,
  reference.label AS reference_label, reference.value AS reference_value,
  mean - reference.value AS delta_to_reference,
  latest.config AS extra_config_json
FROM standings s JOIN ranked r ON s.benchmark_id = r.benchmark_id AND s.comparison_key = r.comparison_key
  AND s.unit IS NOT DISTINCT FROM r.unit AND s.upwards = r.upwards
  AND s.agent = r.agent AND s.provider = r.provider AND s.model = r.model;

CREATE VIEW leaderboard AS FROM leaderboard_by('newest');

CREATE VIEW leaderboard_of_repeats AS FROM leaderboard_by('repeats');

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

-- Out of how many: the same as projections/scores/attempts.py says, written again.
-- Work without a success counts with the newest one that differs only in what a run knows at its end: the revision of
-- its data, and a later scorer. The same as projections/scores/destinations.py says, written again.
CREATE VIEW attempts AS
WITH done AS (
  SELECT benchmark_id, comparison_key, agent, provider, model, options_key, task_revision_json AS revision,
    max((coalesce(ended_at, started_at, TIMESTAMP '0001-01-01'), first_seq)) AS moment
  FROM runs WHERE status = 'succeeded' AND retracted_json IS NULL GROUP BY ALL
),
later AS (
  SELECT * FROM (
    SELECT *, unnest(CASE WHEN revision IS NULL THEN [options_key] ELSE [
      CASE WHEN revision ->> '$.digest' = 'unknown' THEN options_key
        ELSE sha256(options_key || ' ' || (revision ->> '$.digest')) END,
      sha256(options_key || ' ' || sha256('{"data":"","driver":' || to_json(coalesce(revision ->> '$.driver', ''))
        || ',"packages":' || to_json(coalesce(revision ->> '$.packages', ''))
        || ',"version":' || to_json(coalesce(revision ->> '$.version', '')) || '}'))
    ] END) AS key_before FROM done
  ) WHERE key_before <> comparison_key
),
own AS (
  SELECT benchmark_id, key_before, agent, provider, model, arg_max(comparison_key, (moment, comparison_key)) AS key_after
  FROM later GROUP BY ALL
),
of_task AS (
  SELECT benchmark_id, key_before,
    arg_max(comparison_key, (moment, comparison_key, agent, provider, model)) AS key_after
  FROM later GROUP BY ALL
),
placed AS (
  SELECT r.* REPLACE (
    CASE WHEN EXISTS (
      SELECT 1 FROM done d WHERE d.benchmark_id = r.benchmark_id AND d.comparison_key = r.comparison_key
        AND d.agent = r.agent AND d.provider = r.provider AND d.model = r.model
    ) THEN r.comparison_key
    WHEN o.key_after IS NOT NULL THEN o.key_after
    WHEN EXISTS (
      SELECT 1 FROM done d WHERE d.benchmark_id = r.benchmark_id AND d.comparison_key = r.comparison_key
    ) THEN r.comparison_key
    ELSE coalesce(t.key_after, r.comparison_key) END AS comparison_key
  )
  FROM runs r
  LEFT JOIN own o ON r.benchmark_id = o.benchmark_id AND r.comparison_key = o.key_before
    AND r.agent = o.agent AND r.provider = o.provider AND r.model = o.model
  LEFT JOIN of_task t ON r.benchmark_id = t.benchmark_id AND r.comparison_key = t.key_before
),
tried AS (
  SELECT *,
    CASE WHEN status IN ('running', 'succeeded') THEN status
      WHEN reason IN ('environment', 'start', 'workspace', 'orchestrator_lost', 'interrupted', 'stalled') THEN 'infrastructure'
      WHEN reason IN ('exit_code', 'no_result', 'exception') AND regexp_matches(coalesce(error[:499], ''),
        '\b429\b|too many requests|rate.?limit|\b50[234]\b|service unavailable|bad gateway|gateway time-?out|overloaded|'
        || 'connection (refused|reset|aborted)|ECONNREFUSED|ECONNRESET|ETIMEDOUT|temporary failure in name resolution|'
        || 'insufficient_quota', 'i') THEN 'infrastructure'
      ELSE 'own' END AS ending,
    ending IN ('own', 'infrastructure') AS has_failed,
    cost_of(usage_json) AS cost
  FROM placed WHERE retracted_json IS NULL AND imported_json IS NULL AND NOT synthetic AND reproduces IS NULL
)
SELECT benchmark_id, comparison_key, agent, provider, model, count(*) AS attempts,
  count_if(ending = 'running')::BIGINT AS running, count_if(ending = 'succeeded')::BIGINT AS successes,
  count_if(ending = 'own')::BIGINT AS own_failures, count_if(ending = 'infrastructure')::BIGINT AS infrastructure_failures,
  round(coalesce(sum(duration_seconds) FILTER (has_failed), 0), 6) AS seconds_lost,
  round(coalesce(sum(cost) FILTER (has_failed), 0), 9) AS cost_lost,
  count(*) FILTER (has_failed AND cost IS NULL) AS unpriced,
  count_if(ending = 'succeeded') / nullif(count_if(ending <> 'running'), 0) AS completion
FROM tried GROUP BY ALL;

CREATE VIEW costs AS
SELECT benchmark_id, comparison_key, agent, provider, model, count(*) AS runs,
  count_if(status = 'succeeded')::BIGINT AS successes,
  sum(cost_of(usage_json)) AS cost_usd,
  sum(cost_of(usage_json)) FILTER (status = 'succeeded') AS cost_of_successes,
  sum(cost_of(usage_json)) FILTER (status = 'failed') AS cost_of_failures,
  sum(cost_of(usage_json)) / nullif(count_if(status = 'succeeded'), 0) AS cost_per_success,
  count(*) FILTER (status <> 'running' AND cost_of(usage_json) IS NULL) AS unpriced,
  sum(duration_seconds) AS run_seconds,
  -- A single run may claim the largest integer there is.
  least(sum(total_tokens), 9223372036854775807)::BIGINT AS total_tokens
FROM runs WHERE retracted_json IS NULL AND imported_json IS NULL AND NOT synthetic AND reproduces IS NULL
GROUP BY ALL;
