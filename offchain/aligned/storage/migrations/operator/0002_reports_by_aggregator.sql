-- Each aggregator has its own queue of reports: one with many that wait is not read through for another's.
DROP INDEX operator_reports_due;
CREATE INDEX operator_reports_due ON operator_reports (aggregator_url, next_attempt_at) WHERE state = 'pending';
-- Votes that some aggregator has not heard of, oldest block first.
CREATE INDEX operator_tasks_unreported ON operator_tasks (task_block) WHERE state IN ('signed', 'refused');
-- What is over, by age: for deleting it in small pieces.
CREATE INDEX operator_tasks_over ON operator_tasks (updated_at) WHERE state IN ('reported', 'skipped');
