! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Where fits start: peaks, functions on grids and waves that are known, alone and in company, complete and with gaps.
program test_guesses
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan
    use kinds, only: wp, eps
    use lane_widths_baseline, only: width
    use lane_beyond_half_baseline, only: find_peaks
    use lane_families_baseline, only: tile, most_functions, decays, powers, functions_of, has_offset, scale_predictor, &
        tabulate, grid_point
    use lane_grids_baseline, only: choose_functions
    use lane_planes_baseline, only: choose_planes
    use lane_oscillations_baseline, only: fit_waves
    use periodograms, only: bin_deviations, find_largest_power
    use tops, only: find_tops, cut_windows
    use testing, only: check, check_at_most, check_equal, finish
    implicit none (type, external)

    integer :: family

    call random_init(repeatable=.true., image_distinct=.false.)
    call check_peaks_on_line()
    call check_peaks_in_images()
    call check_gaps()
    do family = 1, 7
        call check_choice(family)
    end do
    call check_ruled_out()
    call check_zero()
    call check_planes()
    call check_waves()
    call check_tops()
    call check_bins()
    call check_powers()
    call finish()

contains

    !> A triangle, whose moments beyond half height are known: for weights (1 - |t|)², the mean of t² is 1/10.
    subroutine check_peaks_on_line()
        integer, parameter :: m = 4001, fits = width + 3
        real(wp), allocatable :: x(:, :, :), y(:, :), work(:)
        real(wp) :: peaks(5, fits), alone(5, 1), centre, sign
        integer :: i, k

        allocate (x(m, 1, 1), y(m, fits), work(width*m*3))
        x(:, 1, 1) = [(-7.0_wp + i*5.0e-3_wp, i = 1, m)]
        do k = 1, fits
            centre = 0.2_wp*k
            sign = (-1.0_wp)**k
            y(:, k) = 3.0_wp + sign*max(0.0_wp, 2.0_wp - abs(x(:, 1, 1) - centre))
        end do
        call find_peaks(1, 1, m, 1, fits, x, y, peaks, work)
        do k = 1, fits
            call check_equal(nint(sign_of(peaks(1, k))), (-1)**k, "peaks point up and down")
            call check_at_most(abs(peaks(3, k) - 0.2_wp*k), 1.0e-9_wp, "centre")
            call check_at_most(abs(peaks(4, k) - sqrt(0.7_wp)), 1.0e-4_wp, "half width")
            call check_at_most(abs(peaks(5, k)), 1.0e-6_wp, "skewness")
            call find_peaks(1, 1, m, 1, 1, x, y(:, k), alone, work)
            call check(all(alone(:, 1) == peaks(:, k)), "no peak depends on the others")
        end do
    end subroutine check_peaks_on_line

    !> A cone, elongated and at an angle; for weights (1 - r)², the mean of r² is 1/5.
    subroutine check_peaks_in_images()
        integer, parameter :: side = 301, m = side*side
        real(wp), allocatable :: x(:, :, :), y(:, :), work(:)
        real(wp) :: peaks(7, 1), u, v, expected(3)
        integer :: i

        allocate (x(m, 2, 1), y(m, 1), work(width*m*4))
        do i = 1, m
            x(i, :, 1) = [0.02_wp*mod(i - 1, side), 10.0_wp + 0.02_wp*((i - 1)/side)]
            u = (x(i, 1, 1) - 2.9_wp)*0.8_wp + (x(i, 2, 1) - 13.1_wp)*0.6_wp
            v = (x(i, 2, 1) - 13.1_wp)*0.8_wp - (x(i, 1, 1) - 2.9_wp)*0.6_wp
            y(i, 1) = max(0.0_wp, 2.0_wp - hypot(u, 2.0_wp*v))
        end do
        call find_peaks(5, 2, m, 1, 1, x, y, peaks, work)
        call check_at_most(maxval(abs(peaks(3:4, 1) - [2.9_wp, 13.1_wp])), 1.0e-6_wp, "centre of an ellipse")
        expected = 0.1_wp*4.0_wp/log(2.0_wp)*[0.64_wp + 0.09_wp, 0.48_wp - 0.12_wp, 0.36_wp + 0.16_wp]
        call check_at_most(maxval(abs(peaks(5:7, 1) - expected)), 1.0e-3_wp, "covariance of an ellipse")
        call check(peaks(1, 1) > 1.0_wp, "its amplitude")
    end subroutine check_peaks_in_images

    !> Points without observation are as good as left out.
    subroutine check_gaps()
        integer, parameter :: m = 60
        real(wp) :: x(m, 1, 1), y(m), peak(5, 1), shorter(5, 1), work(width*m*3)
        integer, allocatable :: there(:)
        integer :: i, shape

        x(:, 1, 1) = [(0.1_wp*i, i = 1, m)]
        call random_number(y)
        y = 0.1_wp*y + 1.0_wp/(1.0_wp + (x(:, 1, 1) - 2.0_wp)**2)
        y(5:m - 5:7) = ieee_value(1.0_wp, ieee_quiet_nan)
        there = pack([(i, i = 1, m)], abs(y) < huge(y))
        do shape = 1, 4
            call find_peaks(shape, 1, m, 1, 1, x, y, peak, work)
            call find_peaks(shape, 1, size(there), 1, 1, x(there, :, :), y(there), shorter, work)
            call check_at_most(maxval(abs(peak - shorter)), 1.0e-13_wp, "points left out")
        end do
    end subroutine check_gaps

    !> Of functions that are their own data sets, each is chosen; predictors of each set's own give the same bits.
    subroutine check_choice(family)
        integer, intent(in) :: family

        integer, parameter :: m = 61
        real(wp) :: x(m, most_functions), y(m, most_functions), chosen(6, most_functions), own(6, most_functions)
        real(wp) :: alone(6, 1), f(width, tile, most_functions), u(width, m), start(width), length(width)
        real(wp) :: table(m, most_functions), point(2)
        integer :: i, j, k, n

        n = functions_of(family)
        do i = 1, m
            x(i, :) = 2.0_wp + 0.1_wp*i
            u(:, i) = x(i, 1)
        end do
        call scale_predictor(family, m, u, start, length)
        do i = 1, m
            call tabulate(family, 1, start, length, u(1, i), f)
            table(i, 1:n) = f(1, 1, 1:n)
            y(i, 1:n) = 1.0e3_wp*table(i, 1:n)
            if (has_offset(family)) y(i, 1:n) = y(i, 1:n) - 5.0_wp
        end do
        do k = 3, n, 3
            y(modulo(k, m - 3) + 1:modulo(k, m - 3) + 3, k) = ieee_value(1.0_wp, ieee_quiet_nan)
        end do
        call choose(family, n, m, 1, n, x, y, chosen)
        call choose(family, n, m, n, n, x, y, own)
        call check(all(chosen(:, 1:n) == own(:, 1:n)), "predictors of each set's own")
        do k = 1, n
            ! Functions that hardly differ at these points are as good.
            j = findloc([(all(chosen(3:4, k) == grid_point(family, i)), i = 1, n)], .true., 1)
            call check(j > 0, "which function")
            point = grid_point(family, k)
            if (family /= decays .or. abs(point(1)/length(1)*(start(1) + length(1))) < 600.0_wp) then    ! not ruled out
                call check_at_most(maxval(abs(chosen(1, k)*table(:, j) + chosen(2, k) - y(:, k)), &
                                          abs(y(:, k)) < huge(y)), 1.0e-7_wp, "what is left")
            end if
            call check(all(chosen(5:6, k) == [start(1), length(1)]), "the scale of its predictor")
            call choose(family, n, m, 1, 1, x, y(:, k:k), alone)
            call check(all(alone(:, 1) == chosen(:, k)), "no choice depends on the others")
        end do
        if (.not. has_offset(family)) call check(all(chosen(2, 1:n) == 0.0_wp), "no offset")
    end subroutine check_choice

    subroutine choose(family, n, m, x_sets, fits, x, y, chosen)
        integer, intent(in) :: family, n, m, x_sets, fits
        real(wp), intent(in) :: x(m, x_sets), y(m, fits)
        real(wp), intent(inout) :: chosen(6, fits)

        real(wp), allocatable :: work(:), moments(:), lines(:), possible(:), f(:), table(:)

        allocate (work(width*m*3), moments(width*n*3), lines(width*n*3), possible(width*n), f(width*tile*n), table(m*n))
        call choose_functions(family, n, m, x_sets, fits, x, y, chosen, work, moments, lines, possible, f, table)
    end subroutine choose

    !> What is ruled out is not chosen, though it fits best: what overflows at zero, and powers infinite at a point.
    subroutine check_ruled_out()
        integer, parameter :: m = 20
        real(wp) :: x(m, 1), y(m, 2), chosen(6, 2)
        integer :: i

        x(:, 1) = [(1.0e4_wp + i, i = 1, m)]
        y(:, 1) = exp(-1.0_wp*[(i, i = 1, m)])
        y(:, 2) = 2.0_wp
        call choose(decays, 32, m, 1, 2, x, y, chosen)
        call check(abs(chosen(3, 1)/chosen(6, 1)*x(1, 1)) < 600.0_wp, "what overflows at zero")
        call check(chosen(1, 2) == 0.0_wp .and. chosen(2, 2) == 2.0_wp, "a constant")
        x(:, 1) = [(i, i = 0, m - 1)]
        y(2:, 1) = 1.0_wp/x(2:, 1)
        y(1, :) = [2.0_wp, ieee_value(1.0_wp, ieee_quiet_nan)]
        y(2:, 2) = y(2:, 1)
        call choose(powers, 18, m, 1, 2, x, y, chosen)
        call check(chosen(3, 1) > 0.0_wp, "a negative power of zero")
        call check_at_most(abs(chosen(3, 2) + 1.0_wp), 0.0_wp, "a negative power where zero was not observed")
    end subroutine check_ruled_out

    !> A power of zero is zero, whatever else it is next to.
    subroutine check_zero()
        real(wp) :: u(width, 3), f(width, tile, 18), start(width), length(width)

        u(:, 1) = 0.0_wp
        u(:, 2) = 3.0_wp
        u(:, 3) = 12.0_wp
        call scale_predictor(powers, 3, u, start, length)
        call tabulate(powers, 3, start, length, u, f)
        call check(all(f(:, 1, 10:18) == 0.0_wp), "powers of zero")
        call check_at_most(abs(f(1, 2, 13) - 0.25_wp), eps, "the first power")
        call check_at_most(abs(f(1, 3, 4) - 0.25_wp), 2.0_wp*eps, "the first negative power")
    end subroutine check_zero

    !> Parabolas, and sums of two decays, complete and with gaps.
    subroutine check_planes()
        integer, parameter :: m = 90, fits = 2*width + 3
        real(wp) :: x(m, fits), y(m, fits), planes(7, fits), own(7, fits), alone(7, 1), work(width*m*3)
        integer :: i, k

        do i = 1, m
            x(i, :) = 3.0_wp + 2.0_wp*(i - 1)/(m - 1.0_wp)
        end do
        do k = 1, fits
            y(:, k) = k*((x(:, k) - 4.0_wp)*0.5_wp)**2 - 3.0_wp*(x(:, k) - 4.0_wp)*0.5_wp + 7.0_wp
            if (mod(k, 4) == 0) y(k:m:9, k) = ieee_value(1.0_wp, ieee_quiet_nan)
        end do
        call choose_planes(1, m, 1, fits, x, y, planes, work)
        call choose_planes(1, m, fits, fits, x, y, own, work)
        call check(all(planes == own), "parabolas over each set's own predictor")
        do k = 1, fits
            call check_at_most(abs(planes(1, k) + 3.0_wp), 1.0e-12_wp, "the slope in the middle")
            call check_at_most(abs(planes(2, k) - k), 1.0e-11_wp, "the curvature")
            call check_at_most(abs(planes(3, k) - 7.0_wp), 1.0e-12_wp, "the value in the middle")
            call choose_planes(1, m, 1, 1, x, y(:, k), alone, work)
            call check(all(alone(:, 1) == planes(:, k)), "no parabola depends on the others")
        end do
        do k = 1, fits
            y(:, k) = 2.0_wp + k*exp(-25.6_wp*0.5_wp*(x(:, k) - 3.0_wp)) - exp(-1.6_wp*0.5_wp*(x(:, k) - 3.0_wp))
            if (mod(k, 4) == 0) y(k:m:9, k) = ieee_value(1.0_wp, ieee_quiet_nan)
        end do
        call choose_planes(2, m, 1, fits, x, y, planes, work)
        call choose_planes(2, m, fits, fits, x, y, own, work)
        call check(all(planes == own), "decays over each set's own predictor")
        do k = 1, fits
            call check_at_most(maxval(abs(planes(4:7, k)/[25.6_wp, 1.6_wp, 3.0_wp, 2.0_wp] - 1.0_wp)), 10.0_wp*eps, &
                               "both rates")
            call check_at_most(maxval(abs(planes(1:3, k) - [real(k, wp), -1.0_wp, 2.0_wp])), 1.0e-11_wp, "amplitudes")
        end do
    end subroutine check_planes

    !> Waves that die away at each of the rates, complete or with gaps.
    subroutine check_waves()
        integer, parameter :: m = 120, fits = 20
        real(wp), parameter :: rates(5) = [0.0_wp, 1.0_wp, 3.0_wp, 9.0_wp, 27.0_wp]
        real(wp) :: x(m, fits), y(m, fits), cycles(fits), allowed(5), waves(5, fits), own(5, fits), work(width*m*3)
        real(wp) :: angle(m)
        integer :: i, k

        do k = 1, fits
            x(:, k) = [(i/(m - 1.0_wp), i = 0, m - 1)]
            cycles(k) = 0.5_wp + 0.7_wp*k
            angle = 8.0_wp*atan(1.0_wp)*cycles(k)*x(:, k)
            y(:, k) = 7.0_wp + exp(-rates(mod(k, 5) + 1)*x(:, k))*(3.0_wp*cos(angle) - 2.0_wp*k*sin(angle))
            if (k > 10) y(k:m:9, k) = ieee_value(1.0_wp, ieee_quiet_nan)
        end do
        allowed = 1.0_wp
        call fit_waves(5, m, 1, fits, x(:, 1), y, cycles, 1, allowed, waves, work)
        call fit_waves(5, m, fits, fits, x, y, cycles, 1, allowed, own, work)
        call check(all(waves == own), "waves over each set's own predictor")
        do k = 1, fits
            call check_equal(nint(waves(1, k)), mod(k, 5), "the rate of a wave")
            call check_at_most(abs(waves(2, k) - 3.0_wp), 1.0e-10_wp, "the amplitude of its cosine")
            call check_at_most(abs(waves(3, k) + 2.0_wp*k), 1.0e-10_wp, "the amplitude of its sine")
            call check_at_most(abs(waves(4, k) - 7.0_wp), 1.0e-10_wp, "its offset")
            call check_at_most(abs(waves(5, k) - 1.0_wp), 1.0e-10_wp, "all of the variance is explained")
        end do
        allowed(2) = 0.0_wp
        call fit_waves(5, m, 1, fits, x(:, 1), y, cycles, 1, allowed, waves, work)
        call check(all(nint(waves(1, 1:fits:5)) /= 1), "a rate that is ruled out")
    end subroutine check_waves

    !> A triangle, how far it is looked at, and what is cut out, at the ends and with gaps, too.
    subroutine check_tops()
        integer, parameter :: m = 90, points = 9
        real(wp) :: x(m, 1), y(m, 3), smooth(m), window_x(points, 3), window_y(points, 3)
        integer :: i, top(3), half(3)

        x(:, 1) = [(0.5_wp*i, i = 1, m)]
        y(:, 1) = [(-max(0.0_wp, 10.0_wp - abs(i - 40)), i = 1, m)]
        y(:, 2) = [(real(i, wp), i = 1, m)]
        y(:, 3) = y(:, 1)
        y(41, 3) = ieee_value(1.0_wp, ieee_quiet_nan)
        top = [-1, -1, 39]
        call find_tops(m, 3, y, top, half, smooth)
        call check(all(top == [39, m - 1, 39]), "where most is left")
        ! Means make 9.5 and 89.75 of 10 and 90; halves of these are passed after 6 and 46 steps.
        call check(all(half(1:2) == [15, 115]), "how far to look")
        call cut_windows(points, m, 1, 3, x, y, top, half, window_x, window_y)
        call check(all(window_x(4:6, 1) == x([36, 40, 44], 1)), "points that are four steps apart")
        call check(all(window_y(4:6, 1) == y([36, 40, 44], 1)), "and what is there")
        call check(.not. any(window_y(1, :) == window_y(1, :)) .and. window_x(1, 1) == x(40, 1), "not further away")
        call check(.not. any(window_y(6:, 2) == window_y(6:, 2)), "nothing beyond the end")
        call check(all(abs(window_x) <= huge(x)), "places are finite")
    end subroutine check_tops

    !> Points in any order, two of them in one place, and one without observation.
    subroutine check_bins()
        real(wp) :: x(5, 2), y(5, 3), series(0:7, 3)

        x(:, 1) = [1.0_wp, 0.0_wp, 0.24_wp, 0.26_wp, 0.75_wp]
        x(:, 2) = x(5:1:-1, 1)
        y(:, 1) = [4.0_wp, 2.0_wp, -8.0_wp, 6.0_wp, ieee_value(1.0_wp, ieee_quiet_nan)]
        y(:, 2) = 1.0e308_wp
        y(:, 3) = 0.0_wp
        call bin_deviations(4, 8, 5, 1, 3, x, y, series)
        call check(all(series(:, 1) == [0.125_wp, -0.5_wp, 0.0_wp, 0.0_wp, 0.375_wp, 0.0_wp, 0.0_wp, 0.0_wp]), &
                   "deviations from the mean in units of the largest observation")
        call check(all(series(:, 2:3) == 0.0_wp), "nothing deviates")
        y(:, 2) = y(5:1:-1, 1)
        call bin_deviations(4, 8, 5, 2, 2, x, y, series)
        call check(all(series(:, 1) == series(:, 2)), "predictors of each set's own")
    end subroutine check_bins

    !> A parabola, whose vertex is known, in the middle and cut off at both ends.
    subroutine check_powers()
        real(wp) :: transform(2, 0:9, 3), peak(3)
        integer :: j, k

        do k = 1, 3
            do j = 0, 9
                transform(:, j, k) = sqrt(max(100.0_wp - (j - 0.2_wp - 4.0_wp*(k - 1))**2, 0.0_wp))*[0.6_wp, -0.8_wp]
            end do
        end do
        call find_largest_power(1, 8, 10, 3, transform, peak)
        call check_at_most(abs(peak(2) - 4.2_wp), 1.0e-12_wp, "the vertex")
        call check(peak(1) >= 1.0_wp .and. peak(3) <= 7.5_wp, "not beyond the first and the last")
        transform = 0.0_wp
        call find_largest_power(1, 8, 10, 3, transform, peak)
        call check(all(peak == 1.0_wp), "the first where there is no power")
    end subroutine check_powers

    pure real(wp) function sign_of(value)
        real(wp), intent(in) :: value

        sign_of = sign(1.0_wp, value)
    end function sign_of

end program test_guesses
