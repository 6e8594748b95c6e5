! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The lane engine: models against formulas with intrinsic functions, folding against the scalar one, and fits in
!> company against fits alone.
program test_lanes
    use, intrinsic :: iso_fortran_env, only: int64
    use, intrinsic :: iso_c_binding, only: c_funloc, c_funptr, c_null_funptr, c_null_ptr
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan, ieee_is_nan
    use kinds, only: wp, long, eps, row_block, info_running
    use native, only: fit_model, by_fit, by_group
    use lane_kinds, only: lane_rows, lane_data, lane_outcome, lane_layout, layout_of_lanes
    use solver_options, only: fit_options
    use lane_widths_baseline, only: width
    use lane_models_baseline, only: evaluate
    use lane_rows_baseline, only: make_rows
    use lane_fold_baseline, only: fold_rows
    use lane_fits_baseline, only: fit_queue
    use native_peaks, only: peaks_of_fit, peaks_of_group, stopping
    use row_folding, only: fold_block
    use testing, only: check, check_at_most, check_equal, finish, digits_of
    implicit none (type, external)

    type(fit_options), parameter :: options = fit_options(1.49e-8_wp, 1.49e-8_wp, 0.0_wp, 100.0_wp, 500.0_wp, &
        0.0_wp)
    real(wp), parameter :: pi = 3.14159265358979324_wp
    type(fit_model) :: model
    integer, parameter :: gaussian = 1, exponential = 4, power_law = 8, damped_sine = 9

    call random_init(repeatable=.true., image_distinct=.false.)
    model = fit_model(gaussian, .true., c_null_funptr, c_null_ptr)
    call check_exponentials()
    call check_powers()
    call check_sines()
    call check_folding(1, 3)
    call check_folding(lane_rows, 4)
    call check_folding(lane_rows - 1, 2)
    call check_folding(7, 7)
    call check_folding(20, 1)
    call check_company(50, 60)
    call check_company(lane_rows, 3)
    call check_company(lane_rows + 1, 1)
    call check_company(3*lane_rows + 5, 20)
    call check_tall()
    call check_narrow_peaks(1.0_wp)
    call check_narrow_peaks(1.0e155_wp)
    call check_narrow_peaks(1.0e-155_wp)
    call check_skipped_and_interrupted()
    call check_without_weight()
    call check_native()
    call finish()

contains

    !> Values and derivatives of a model at one point.
    subroutine evaluate_at(number, predictors, x, p, f, jac)
        integer, intent(in) :: number, predictors
        real(wp), intent(in) :: x(predictors), p(:)
        real(wp), intent(out) :: f, jac(:)

        real(wp) :: points(width, lane_rows, predictors), lanes(width, size(p))
        real(wp) :: values(width, lane_rows), slopes(width, lane_rows, size(p))
        integer :: j

        do j = 1, predictors
            points(:, :, j) = x(j)
        end do
        do j = 1, size(p)
            lanes(:, j) = p(j)
        end do
        call evaluate(number, lane_rows, predictors, size(p), points, lanes, values, slopes)
        call check(all(values == values(1, 1)) .or. ieee_is_nan(values(1, 1)), "every lane and row has the same value")
        f = values(width, lane_rows)
        jac = slopes(width, lane_rows, :)
    end subroutine evaluate_at

    !> The exponential function from where it underflows to where it overflows. It may err by a unit in the last place.
    subroutine check_exponentials()
        real(wp) :: f, jac(3), z, worst
        integer :: i

        worst = 0.0_wp
        do i = -7079, 7089
            z = 0.1_wp*i + 0.0123_wp
            if (z > 709.0_wp) cycle
            call evaluate_at(exponential, 1, [z], [1.0_wp, -1.0_wp, 0.0_wp], f, jac)
            worst = max(worst, abs(f/exp(z) - 1.0_wp))
        end do
        call check_at_most(worst, 1.5_wp*eps, "relative error of exp")
        call evaluate_at(exponential, 1, [-800.0_wp], [2.0_wp, -1.0_wp, 0.5_wp], f, jac)
        call check(f == 0.5_wp, "exp(-800) counts as zero")
        call evaluate_at(exponential, 1, [1.0e300_wp], [2.0_wp, 1.0e300_wp, 0.5_wp], f, jac)
        call check(f == 0.5_wp, "exp(-infinity) is zero")
        call evaluate_at(exponential, 1, [800.0_wp], [2.0_wp, -1.0_wp, 0.5_wp], f, jac)
        call check(f > huge(f), "exp(800) overflows")
        call evaluate_at(exponential, 1, [1.0_wp], [2.0_wp, ieee_value(f, ieee_quiet_nan), 0.5_wp], f, jac)
        call check(ieee_is_nan(f), "exp(NaN) is NaN")
        z = transfer(9218868437227407266_int64, 1.0_wp)
        call evaluate_at(exponential, 1, [1.0_wp], [2.0_wp, z, 0.5_wp], f, jac)
        call check(ieee_is_nan(f), "exp(NaN) is NaN, whatever its bits")
    end subroutine check_exponentials

    !> Powers: the error of the logarithm, two units in the last place, times exponent and logarithm.
    subroutine check_powers()
        real(wp) :: f, jac(3), x, b, worst
        integer :: i, k

        worst = 0.0_wp
        do i = -300, 300, 7
            do k = -8, 8
                x = 1.37_wp*10.0_wp**(0.5_wp*i)
                b = 0.23_wp*k
                call evaluate_at(power_law, 1, [x], [1.0_wp, b, 0.0_wp], f, jac)
                worst = max(worst, abs(f/x**b - 1.0_wp)/(1.0_wp + abs(b*log(x))))
                worst = max(worst, abs(jac(2)/(x**b*log(x)) - 1.0_wp)/(1.0_wp + abs(b*log(x))))
            end do
        end do
        call check_at_most(worst, 3.0_wp*eps, "relative error of powers")
        call evaluate_at(power_law, 1, [0.0_wp], [2.0_wp, 0.5_wp, 1.0_wp], f, jac)
        call check(f == 1.0_wp .and. all(jac == [0.0_wp, 0.0_wp, 1.0_wp]), "power law at zero")
        call evaluate_at(power_law, 1, [0.0_wp], [2.0_wp, 0.0_wp, 1.0_wp], f, jac)
        call check(f == 3.0_wp, "0**0 is 1")
        call evaluate_at(power_law, 1, [-1.0_wp], [2.0_wp, 0.5_wp, 1.0_wp], f, jac)
        call check(ieee_is_nan(f), "no power of a negative number")
    end subroutine check_powers

    !> Sine and cosine: absolute errors, of which the argument's own rounding is part.
    subroutine check_sines()
        real(wp) :: f, jac(5), phase, worst
        integer :: i

        worst = 0.0_wp
        do i = -2000, 2000
            phase = 0.037_wp*i + sign(10.0_wp**(mod(abs(i), 6)), real(i, wp))
            call evaluate_at(damped_sine, 1, [0.0_wp], [1.0_wp, 0.0_wp, 1.0_wp, phase, 0.0_wp], f, jac)
            worst = max(worst, abs(f - sin(phase)), abs(jac(4) - cos(phase)))
        end do
        call check_at_most(worst, 2.0_wp*eps, "error of sine and cosine")
        call evaluate_at(damped_sine, 1, [0.25_wp], [2.0_wp, 0.5_wp, 1.0_wp, 0.3_wp, 0.1_wp], f, jac)
        call check_at_most(abs(f - (2.0_wp*exp(-0.125_wp)*sin(0.5_wp*pi + 0.3_wp) + 0.1_wp)), 4.0_wp*eps, "damped sine")
        call evaluate_at(damped_sine, 1, [0.0_wp], [1.0_wp, 0.0_wp, 1.0_wp, 1.0e16_wp, 0.0_wp], f, jac)
        call check(ieee_is_nan(f), "no sine where numbers are whole turns apart")
    end subroutine check_sines

    !> Fold two blocks of rows in every lane, and each lane's rows alone: R and Qᵀ f agree up to signs of rows.
    subroutine check_folding(rows, n)
        integer, intent(in) :: rows, n

        real(wp), parameter :: tiny_column = 1.0e-158_wp    ! the squares of which are denormal
        real(wp) :: matrix(width, lane_rows, n + 1), block(width, lane_rows, n + 1), head(width, n, n + 1)
        real(wp) :: products(width, n + 1, 2), squares(width), none(width, lane_rows)
        real(wp) :: alone(row_block, n + 1), triangle(n, n + 1), worst, unit
        integer :: i, l, round

        call random_number(matrix)
        matrix = matrix - 0.5_wp
        matrix(2, :, 1) = 0.0_wp        ! a lane with a column of zeros
        matrix(3, :, :) = 1.0e100_wp*matrix(3, :, :)
        matrix(4, :, :) = 1.0e-100_wp*matrix(4, :, :)
        head = 0.0_wp
        squares = 0.0_wp
        none = 0.0_wp
        do round = 1, 2
            block = matrix/round
            if (round == 1) block(5, :, 1) = tiny_column*block(5, :, 1)
            call make_rows(rows, n, 0, 1.0_wp, none, .false., none, block, squares)
            call fold_rows(rows, n, block, head, products)
        end do
        worst = maxval(abs(squares/(1.25_wp*sum(matrix(:, 1:rows, n + 1)**2, dim=2)) - 1.0_wp))
        call check_at_most(worst, 10.0_wp*eps, "sum of squares of "//digits_of(rows)//" rows")
        worst = 0.0_wp
        do l = 1, width
            triangle = 0.0_wp
            do round = 1, 2
                alone = 0.0_wp
                alone(1:rows, :) = matrix(l, 1:rows, :)/round
                if (l == 5 .and. round == 1) alone(:, 1) = tiny_column*alone(:, 1)
                call fold_block(rows, n, alone, triangle)
            end do
            unit = maxval(abs(triangle)) + tiny(1.0_wp)
            do i = 1, n
                if (2*rows >= n) worst = max(worst, maxval(abs(abs(head(l, i, i:)) - abs(triangle(i, i:))))/unit)
            end do
        end do
        call check_at_most(worst, 100.0_wp*eps, "folding "//digits_of(rows)//" rows of "//digits_of(n)//" columns")
    end subroutine check_folding

    !> Data sets of noisy peaks, and starts off by up to 20 %.
    subroutine make_peaks(m, fits, x, y, p0)
        integer, intent(in) :: m, fits
        real(wp), intent(out) :: x(m), y(m, fits), p0(4, fits)

        real(wp) :: truth(4), noise(m)
        integer :: i, k

        do i = 1, m
            x(i) = 10.0_wp*(i - 1)/(m - 1)
        end do
        do k = 1, fits
            call random_number(truth)
            truth = [2.0_wp, 4.0_wp, 0.8_wp, 0.2_wp] + [2.0_wp, 2.0_wp, 0.6_wp, 0.6_wp]*truth
            call random_number(noise)
            y(:, k) = truth(1)*exp(-0.5_wp*((x - truth(2))/truth(3))**2) + truth(4) + 0.1_wp*(noise - 0.5_wp)
            call random_number(p0(:, k))
            p0(:, k) = truth*(0.8_wp + 0.4_wp*p0(:, k))
        end do
    end subroutine make_peaks

    !> Fit peaks as `fit_models` does.
    subroutine fit_peaks(m, fits, x, y, weights, p0, popt, triangle, fnorm, nfev, status, interrupted)
        integer, intent(in) :: m, fits
        real(wp), intent(in) :: x(m), y(m, fits), weights(:, :), p0(4, fits)
        real(wp), intent(inout) :: popt(4, fits), triangle(4, 5, fits), fnorm(fits)
        integer, intent(inout) :: nfev(fits), status(fits)
        integer, intent(in) :: interrupted

        integer, parameter :: n = 4
        real(wp), allocatable, target :: work(:), xs(:, :, :), ys(:, :), ws(:, :), starts(:, :)
        real(wp), target :: diag(n), best(n, fits), triangles(n, n + 1, fits), norms(fits)
        integer, target :: counts(fits), codes(fits)
        type(lane_layout) :: at
        type(lane_data) :: data
        type(lane_outcome) :: outcome
        integer :: interrupt

        at = layout_of_lanes(n, 1, m, int(100 + m + (m + 100)*(n + 1), long), int(m*(n + 2), long))
        allocate (work(at%size))
        xs = reshape(x, [m, 1, 1])
        ys = y
        ws = weights
        starts = p0
        diag = 1.0_wp
        best = popt
        codes = status
        interrupt = interrupted
        data = lane_data(n, 1, m, fits, 1, size(weights, 2), 0, .false., xs, ys, ws, starts, diag, null())
        outcome = lane_outcome(best, triangles, norms, counts, codes)
        call fit_queue(model, data, options, interrupt, outcome, at, work)
        popt = best
        triangle = triangles
        fnorm = norms
        nfev = counts
        status = codes
    end subroutine fit_peaks

    !> Fits in company have the same bits as each by itself, and as the scalar machine finds, to rounding.
    subroutine check_company(m, fits)
        integer, intent(in) :: m, fits

        real(wp) :: x(m), y(m, fits), p0(4, fits), popt(4, fits), triangle(4, 5, fits), fnorm(fits)
        real(wp) :: own(4, 1), own_triangle(4, 5, 1), own_fnorm(1), none(m, 0), kept(m, fits)
        integer :: nfev(fits), status(fits), own_nfev(1), own_status(1), k
        logical :: same

        call make_peaks(m, fits, x, y, p0)
        kept = y
        status = info_running
        call fit_peaks(m, fits, x, y, none, p0, popt, triangle, fnorm, nfev, status, 0)
        call check(all(status >= 1 .and. status <= 4), digits_of(fits)//" fits of "//digits_of(m)//" points converge")
        same = .true.
        do k = 1, fits
            own_status = info_running
            call fit_peaks(m, 1, x, y(:, k:k), none, p0(:, k:k), own, own_triangle, own_fnorm, own_nfev, own_status, 0)
            same = same .and. all(own(:, 1) == popt(:, k)) .and. own_status(1) == status(k) .and. own_nfev(1) == nfev(k)
            same = same .and. all(own_triangle(:, :, 1) == triangle(:, :, k)) .and. own_fnorm(1) == fnorm(k)
        end do
        call check(same, "fits in company have the bits of fits alone, "//digits_of(m)//" points")
        call check(all(kept == y), "data are left as they are")
    end subroutine check_company

    !> More rows than the scalar machine takes at once go through the lanes as well.
    subroutine check_tall()
        integer, parameter :: m = 3*row_block + 11
        real(wp) :: x(m), y(m, 1), p0(4, 1), popt(4, 1), triangle(4, 5, 1), fnorm(1), none(m, 0)
        integer :: nfev(1), status(1)

        call make_peaks(m, 1, x, y, p0)
        p0(3, 1) = 1.0e-160_wp      ! no peak at all, which makes the Jacobian singular: a case for the machine
        status = info_running
        call fit_peaks(m, 1, x, y, none, p0, popt, triangle, fnorm, nfev, status, 0)
        call check(status(1) /= info_running, "a tall fit that is ejected comes to an end")
        call check(fnorm(1) < huge(fnorm), "and has a norm")
    end subroutine check_tall

    !> Tall fits of peaks so narrow that derivatives far from them are next to nothing, in units large and small.
    subroutine check_narrow_peaks(unit)
        real(wp), intent(in) :: unit

        integer, parameter :: m = 3*row_block + 11, fits = 200
        real(wp) :: x(m), p0(4, fits), popt(4, fits), triangle(4, 5, fits), fnorm(fits), none(m, 0), truth(4)
        real(wp), allocatable :: y(:, :)
        integer :: nfev(fits), status(fits), i, k

        allocate (y(m, fits))
        x = [(10.0_wp*(i - 1)/(m - 1), i = 1, m)]
        do k = 1, fits
            truth = [3.0_wp, 1.0_wp + 8.0_wp*k/fits, 0.05_wp + 0.1_wp*modulo(k, 7)/7.0_wp, 0.5_wp]
            y(:, k) = unit*(truth(1)*exp(-0.5_wp*((x - truth(2))/truth(3))**2) + truth(4) + 0.02_wp*cos(37.0_wp*x))
            p0(:, k) = [2.5_wp*unit, truth(2) + 0.3_wp*truth(3), 1.2_wp*truth(3), 0.4_wp*unit]
        end do
        status = info_running
        call fit_peaks(m, fits, x, y, none, p0, popt, triangle, fnorm, nfev, status, 0)
        call check(all(status >= 1 .and. status <= 3), "narrow peaks are fitted where their derivatives underflow")
        call check_at_most(maxval(abs(popt(1, :)/unit - 3.0_wp)), 0.1_wp, "heights of narrow peaks")
    end subroutine check_narrow_peaks

    !> Fits that are not wanted are left alone, and an interruption ends all.
    subroutine check_skipped_and_interrupted()
        integer, parameter :: m = 40, fits = 30
        real(wp) :: x(m), y(m, fits), p0(4, fits), popt(4, fits), triangle(4, 5, fits), fnorm(fits), none(m, 0)
        integer :: nfev(fits), status(fits)

        call make_peaks(m, fits, x, y, p0)
        status = info_running
        status(1:fits:3) = 77
        popt = -1.0_wp
        call fit_peaks(m, fits, x, y, none, p0, popt, triangle, fnorm, nfev, status, 0)
        call check(all(status(1:fits:3) == 77) .and. all(popt(:, 1:fits:3) == -1.0_wp), &
                   "fits not wanted are left alone")
        call check(count(status == 1 .or. status == 3) == 20, "the others are made")
        status = info_running
        call fit_peaks(m, fits, x, y, none, p0, popt, triangle, fnorm, nfev, status, 1)
        call check(all(status == info_running), "an interruption leaves fits undone")
    end subroutine check_skipped_and_interrupted

    !> Points without weight count for nothing, even if they are NaN.
    subroutine check_without_weight()
        integer, parameter :: m = 60, fits = 11, left = 45
        real(wp) :: x(m), y(m, fits), p0(4, fits), weights(m, 1), none(left, 0), worst
        real(wp) :: popt(4, fits), triangle(4, 5, fits), fnorm(fits), short(4, fits)
        integer :: nfev(fits), status(fits), fewer(fits)

        call make_peaks(m, fits, x, y, p0)
        weights = 1.0_wp
        weights(left + 1:, 1) = 0.0_wp
        x(left + 1:) = ieee_value(1.0_wp, ieee_quiet_nan)
        y(left + 1:, :) = 0.0_wp
        status = info_running
        call fit_peaks(m, fits, x, y, weights, p0, popt, triangle, fnorm, nfev, status, 0)
        status = info_running
        call fit_peaks(left, fits, x(:left), y(:left, :), none, p0, short, triangle, fnorm, fewer, status, 0)
        worst = maxval(abs(popt/short - 1.0_wp))
        ! The same iterates but for rounding; conditions of about a thousand enlarge that.
        call check_at_most(worst, 1.0e-11_wp, "points without weight against points that are not there")
        call check(all(nfev == fewer), "which take the same evaluations")
    end subroutine check_without_weight

    !> Functions by address, for a fit or a group, with derivatives or without, give what the compiled model gives.
    subroutine check_native()
        type(c_funptr) :: of_fit, of_group

        of_fit = c_funloc(peaks_of_fit)
        of_group = c_funloc(peaks_of_group)
        call check_function(by_fit, .true., of_fit, "a function for a fit", 50)
        call check_function(by_fit, .false., of_fit, "the same by differences", 50)
        call check_function(by_group, .true., of_group, "a function for a group", 50)
        call check_function(by_group, .false., of_group, "the same by differences", 50)
        call check_function(by_fit, .true., of_fit, "a function for a tall fit", row_block + 20)
        call check_function(by_fit, .false., of_fit, "the same by differences", row_block + 20)
        call check_function(by_group, .true., of_group, "a function for a tall group", row_block + 20)
        call check_function(by_group, .false., of_group, "the same by differences", row_block + 20)
    end subroutine check_native

    subroutine check_function(number, derivatives, function, what, m)
        integer, intent(in) :: number
        logical, intent(in) :: derivatives
        type(c_funptr), intent(in) :: function
        character(len=*), intent(in) :: what
        integer, intent(in) :: m

        integer, parameter :: fits = 21
        real(wp) :: x(m), y(m, fits), p0(4, fits), popt(4, fits), triangle(4, 5, fits), fnorm(fits), none(m, 0)
        real(wp) :: expected(4, fits), worst
        integer :: nfev(fits), status(fits), counts(fits)

        call make_peaks(m, fits, x, y, p0)
        p0(3, 4) = 1.0e-160_wp          ! ejected
        status = info_running
        call fit_peaks(m, fits, x, y, none, p0, expected, triangle, fnorm, counts, status, 0)
        model = fit_model(number, derivatives, function, c_null_ptr)
        p0(1, 7) = stopping             ! stopped at the start
        status = info_running
        call fit_peaks(m, fits, x, y, none, p0, popt, triangle, fnorm, nfev, status, 0)
        model = fit_model(gaussian, .true., c_null_funptr, c_null_ptr)
        call check_equal(status(7), merge(-3, -1, number == by_fit), what//" that stops")
        call check(ieee_is_nan(fnorm(7)) .and. popt(1, 7) == stopping, what//" that stops at its start")
        nfev(7) = counts(7)
        popt(:, 7) = expected(:, 7)
        popt(:, 4) = expected(:, 4)     ! by differences, somewhere else
        worst = maxval(abs(popt/expected - 1.0_wp))
        print *, what, maxloc(abs(popt/expected - 1.0_wp)), status, nfev-counts
        ! A decision that hangs on rounding may move a solution within ftol.
        call check_at_most(worst, merge(1.0e-8_wp, 1.0e-6_wp, derivatives), what)
        nfev(4) = counts(4)
        if (derivatives) call check(all(nfev == counts), what//" takes as many evaluations")
        if (.not. derivatives) call check(all(nfev >= counts .and. nfev <= 5*counts), what//" takes more evaluations")
    end subroutine check_function

end program test_lanes
