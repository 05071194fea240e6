-- How each carrier did in each month. Owned by the squad finance.
CREATE TABLE carrier_scorecard AS
SELECT
    f.carrier,
    a.name AS carrier_name,
    f.month,
    count(*) AS flights,
    count(DISTINCT f.dest) AS destinations,
    max(f.dep_delay) AS worst_dep_delay,
    avg(f.arr_delay) AS mean_arr_delay,
    avg(CASE WHEN f.arr_delay IS NULL THEN NULL WHEN f.arr_delay <= 15 THEN 1.0 ELSE 0.0 END) AS share_on_time
FROM flights AS f
JOIN airlines AS a
    ON a.carrier = f.carrier
GROUP BY f.carrier, a.name, f.month
ORDER BY f.carrier, f.month;
