/* The forms of files that events are written to. */
#pragma once

enum event_file_form { EVENT_FILE_CSV, EVENT_FILE_JSONL, EVENT_FILE_JSON, EVENT_FILE_AVRO };
