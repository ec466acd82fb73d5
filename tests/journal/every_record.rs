//! Bytes read as each record there is. The fuzz targets share this.

use hsmc::domain::alert::Standing;
use hsmc::domain::audit::AuditLine;
use hsmc::domain::consent::{Evidence, Link};
use hsmc::domain::forget::{Forgotten, Receipt, Trace};
use hsmc::domain::id::PersonId;
use hsmc::domain::naming::ListNaming;
use hsmc::domain::person::{PastState, Person};
use hsmc::domain::restored::Restored;
use hsmc::domain::run::Run;
use hsmc::domain::watermark::Watermark;
use hsmc::journal::codec::{Record, decode, decode_body, decode_series, encode};
use hsmc::journal::consent::{EvidencePlace, Salt};
use hsmc::journal::record::decode_events;

/// What is believed to be a record is written as something that reads the same.
fn as_record<R: Record + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(record) = decode::<R>(bytes) {
        let written = encode(&record).unwrap();
        assert_eq!(decode::<R>(&written).as_ref(), Ok(&record));
    }
}

/// Reads the bytes as every record, every single value and every series.
pub fn as_every_record(bytes: &[u8]) {
    as_record::<Person>(bytes);
    as_record::<Run>(bytes);
    as_record::<PastState>(bytes);
    as_record::<AuditLine>(bytes);
    as_record::<Evidence>(bytes);
    as_record::<EvidencePlace>(bytes);
    as_record::<Link>(bytes);
    as_record::<Salt>(bytes);
    as_record::<Forgotten>(bytes);
    as_record::<ListNaming>(bytes);
    as_record::<Watermark>(bytes);
    as_record::<PersonId>(bytes);
    as_record::<Standing>(bytes);
    drop(decode_series::<Standing>(bytes));
    drop(decode_events(bytes));
    drop(decode_body::<Trace>("single value", bytes));
    drop(decode_body::<Receipt>("single value", bytes));
    drop(decode_body::<Restored>("single value", bytes));
}
