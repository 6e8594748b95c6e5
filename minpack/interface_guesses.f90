! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

! The routines for where fits start that Python sees; for levels, see interface_lanes.

!> Find a peak in each data set.
subroutine find_peaks(level, profile, predictors, m, x_sets, fits, x, y, peaks, work)
    use kinds, only: wp
    use lane_levels, only: find_peaks_baseline, find_peaks_v3, find_peaks_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: profile                          !! of the peaks, see lane_beyond_half
    integer, intent(in) :: predictors                       !! 1 or 2
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: x_sets                           !! 1: the predictors are shared; or fits
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: x(m, predictors, x_sets)        !! predictors, finite
    real(wp), intent(in) :: y(m, fits)                      !! observations; those that are not finite are missing
    real(wp), intent(inout) :: peaks(2*predictors + 3, fits)    !! out: see lane_beyond_half
    real(wp), intent(inout) :: work(*)                      !! most_width*m*(predictors + 2) numbers

    select case (level)
    case default
        call find_peaks_baseline(profile, predictors, m, x_sets, fits, x, y, peaks, work)
    case (2)
        call find_peaks_v3(profile, predictors, m, x_sets, fits, x, y, peaks, work)
    case (3)
        call find_peaks_v4(profile, predictors, m, x_sets, fits, x, y, peaks, work)
    end select
end subroutine find_peaks

!> Choose for each data set the function that, with an amplitude and perhaps an offset, fits it best.
subroutine choose_functions(level, with_offset, n, m, tables, fits, allowed_sets, functions, y, allowed, chosen, work)
    use kinds, only: wp
    use lane_kinds, only: most_width
    use lane_levels, only: choose_functions_baseline, choose_functions_v3, choose_functions_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: with_offset                      !! 1: with an offset
    integer, intent(in) :: n                                !! functions
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: tables                           !! 1: the functions are shared; or fits
    integer, intent(in) :: fits                             !! data sets
    integer, intent(in) :: allowed_sets                     !! 1: shared; or fits
    real(wp), intent(in) :: functions(m, n, tables)         !! the functions
    real(wp), intent(in) :: y(m, fits)                      !! observations; those that are not finite are missing
    real(wp), intent(in) :: allowed(n, allowed_sets)        !! 1, or 0 for what is ruled out
    real(wp), intent(inout) :: chosen(3, fits)              !! out: which, counted from 0; its amplitude; the offset
    real(wp), intent(inout) :: work(*)                      !! most_width*(3*m + 7*n) numbers

    select case (level)
    case default
        call choose_functions_baseline(with_offset == 1, n, m, tables, fits, allowed_sets, functions, y, allowed, &
            chosen, work, work(most_width*3*m + 1), work(most_width*3*(m + n) + 1), work(most_width*(3*m + 6*n) + 1))
    case (2)
        call choose_functions_v3(with_offset == 1, n, m, tables, fits, allowed_sets, functions, y, allowed, &
            chosen, work, work(most_width*3*m + 1), work(most_width*3*(m + n) + 1), work(most_width*(3*m + 6*n) + 1))
    case (3)
        call choose_functions_v4(with_offset == 1, n, m, tables, fits, allowed_sets, functions, y, allowed, &
            chosen, work, work(most_width*3*m + 1), work(most_width*3*(m + n) + 1), work(most_width*(3*m + 6*n) + 1))
    end select
end subroutine choose_functions

!> Sum the products of functions and weights over all points.
subroutine sum_products(level, n, m, tables, fits, functions, weights, sums, work)
    use kinds, only: wp
    use lane_kinds, only: most_width
    use lane_levels, only: sum_products_baseline, sum_products_v3, sum_products_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: n                                !! functions
    integer, intent(in) :: m                                !! points
    integer, intent(in) :: tables                           !! 1: the functions are shared; or fits
    integer, intent(in) :: fits                             !! sets of weights
    real(wp), intent(in) :: functions(m, n, tables)         !! the functions
    real(wp), intent(in) :: weights(m, fits)                !! the weights
    real(wp), intent(inout) :: sums(n, fits)                !! out: the sums
    real(wp), intent(inout) :: work(*)                      !! most_width*(2*m + n) numbers

    select case (level)
    case default
        call sum_products_baseline(n, m, tables, fits, functions, weights, sums, work, work(most_width*2*m + 1))
    case (2)
        call sum_products_v3(n, m, tables, fits, functions, weights, sums, work, work(most_width*2*m + 1))
    case (3)
        call sum_products_v4(n, m, tables, fits, functions, weights, sums, work, work(most_width*2*m + 1))
    end select
end subroutine sum_products

!> Fit waves of known frequencies to data sets.
subroutine fit_waves(level, rates, m, x_sets, fits, x, y, cycles, allowed_sets, allowed, waves, work)
    use kinds, only: wp
    use lane_levels, only: fit_waves_baseline, fit_waves_v3, fit_waves_v4
    implicit none (type, external)
    integer, intent(in) :: level                            !! which level
    integer, intent(in) :: rates                            !! rates to try, see lane_oscillations
    integer, intent(in) :: m                                !! points of a data set
    integer, intent(in) :: x_sets                           !! 1: the predictor is shared; or fits
    integer, intent(in) :: fits                             !! data sets
    real(wp), intent(in) :: x(m, x_sets)                    !! the predictor, from 0 to 1
    real(wp), intent(in) :: y(m, fits)                      !! observations; those that are not finite are missing
    real(wp), intent(in) :: cycles(fits)                    !! cycles per range of the predictor
    integer, intent(in) :: allowed_sets                     !! 1: shared; or fits
    real(wp), intent(in) :: allowed(rates, allowed_sets)    !! 1, or 0 for rates that are ruled out
    real(wp), intent(inout) :: waves(5, fits)               !! out: see lane_oscillations
    real(wp), intent(inout) :: work(*)                      !! most_width*m*3 numbers

    select case (level)
    case default
        call fit_waves_baseline(rates, m, x_sets, fits, x, y, cycles, allowed_sets, allowed, waves, work)
    case (2)
        call fit_waves_v3(rates, m, x_sets, fits, x, y, cycles, allowed_sets, allowed, waves, work)
    case (3)
        call fit_waves_v4(rates, m, x_sets, fits, x, y, cycles, allowed_sets, allowed, waves, work)
    end select
end subroutine fit_waves
