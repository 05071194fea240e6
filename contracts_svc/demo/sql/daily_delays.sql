-- Punctuality by origin and day, with the wind that blew. Owned by the squad punctuality.
CREATE TABLE daily_delays AS
SELECT
    f.origin,
    make_date(f.year, f.month, f.day) AS flight_date,
    count(*) AS flights,
    -- A cancelled flight has no delay: it is in neither the delayed ones nor the punctual ones.
    avg(CASE WHEN f.dep_delay IS NULL THEN NULL WHEN f.dep_delay > 15 THEN 1.0 ELSE 0.0 END) AS share_delayed,
    avg(f.dep_delay) AS mean_dep_delay,
    avg(w.wind_speed) AS mean_wind_speed
FROM flights AS f
LEFT JOIN weather AS w
    ON w.origin = f.origin AND w.time_hour = f.time_hour
GROUP BY f.origin, f.year, f.month, f.day
ORDER BY f.origin, flight_date;
