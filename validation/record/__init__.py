"""The metadata documents of datasets and files, built from what path, headers and people say."""

from validation.record.document import Record, dataset_record, file_record

__all__ = ["Record", "dataset_record", "file_record"]
